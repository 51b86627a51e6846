"""What a POST is documented to answer with: 201, unless its view says otherwise (`posted`)."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class Answers(AutoSchema):
    """drf-spectacular's reading of a view, with the codes of its POST."""

    def get_response_serializers(self) -> Any:
        """The same record under each code."""
        answer = super().get_response_serializers()
        if self.method != "POST" or isinstance(answer, dict):
            return answer
        return dict.fromkeys(getattr(self.view, "posted", (200,)), answer)
