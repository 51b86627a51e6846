"""`POST /register-file` and `GET /check-protected`."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid
from alyx.core.rest.views import Endpoint
from datasets.queries import registered_records
from datasets.services.protection import DatasetProtected, any_protected, check_protected, protected_answer
from datasets.services.register_call import RegisterCall
from datasets.services.registration import register_files


class RegisterFile(Endpoint):
    """`POST /register-file`: all files of the call or none."""

    pagination_class = None

    @extend_schema(request=None, responses={201: None})
    def post(self, request: Request) -> Response:
        """The records of the files, in their order; 403 in the clients' own shape when one is protected."""
        try:
            done = register_files(actor=self.actor, call=RegisterCall.parse(self.body()))
        except DatasetProtected as refused:
            if refused.details is None:
                raise
            return Response(protected_answer(refused.details), status=403)
        return Response(registered_records([file.dataset_id for file in done]), status=201)


class CheckProtected(Endpoint):
    """`GET /check-protected`, with a JSON body or the same as query."""

    pagination_class = None

    @extend_schema(responses=None)
    def get(self, request: Request) -> Response:
        """Whether a registration of these files would be refused. The answer is a 200 also when it would."""
        details = check_protected(actor=self.actor, call=RegisterCall.parse_question(self._question(request)))
        if any_protected(details):
            return Response(protected_answer(details))
        return Response({"status_code": 200, "details": "None of the datasets are protected"})

    def _question(self, request: Request) -> dict[str, Any]:
        sent = request.query_params.lists()
        asked = self.body() or {name: values if len(values) > 1 else values[0] for name, values in sent}
        if not asked:
            raise Invalid.of("path", "send path and filenames, as JSON body or as query")
        return asked
