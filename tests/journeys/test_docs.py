"""The page of all calls: it draws itself from the schema, with nothing from elsewhere and no rule of the site relaxed."""

from tests.journeys.conftest import Opener


def test_every_call_is_shown_and_one_can_be_tried(opened: Opener) -> None:
    watch = opened("/docs/")
    page = watch.page
    page.wait_for_selector("#operations-tag-sessions, #operations-sessions-sessions_list, .opblock-tag")
    answer = page.request.get(f"{watch.site}/docs/")
    assert (
        answer.headers["content-security-policy"]
        == page.request.get(f"{watch.site}/admin/").headers["content-security-policy"]
    )
    page.locator(".opblock-tag[data-tag='labs']").click()
    page.locator("#operations-labs-labs_list .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.wait_for_selector(".live-responses-table .response-col_status")
    assert page.locator(".live-responses-table .response-col_status").last.inner_text().startswith("200")
    assert watch.problems == []
