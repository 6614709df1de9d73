"""Who asks is who the token says: X-Auth-Token: user:project, and `admin` is an administrator.

Stands where `authtoken keystonecontext` stands in nova's api-paste.ini. nova 33 was the last to bring such a filter
(noauth2), whose users had no roles and so were refused nearly everything.
"""

import webob.dec
import webob.exc
from nova import context
from nova.api import wsgi
from oslo_middleware import request_id

EVERYBODY = ["member", "reader"]
ADMINISTRATORS = ["admin", "manager"]


class TakeAtItsWord(wsgi.Middleware):
    @webob.dec.wsgify(RequestClass=wsgi.Request)
    def __call__(self, request):
        token = request.headers.get("X-Auth-Token")
        if not token:
            return webob.exc.HTTPUnauthorized()
        user, _, project = token.partition(":")
        admin = user == "admin"
        request.environ["nova.context"] = context.RequestContext(
            user_id=user,
            project_id=project or user,
            is_admin=admin,
            roles=EVERYBODY + (ADMINISTRATORS if admin else []),
            remote_address=request.remote_addr,
            request_id=request.environ.get(request_id.ENV_REQUEST_ID),
        )
        return self.application
