"""Redeems and makes authorization grants (RFC 7523) with Authlib, for test/interop/grant-python.test.ts.

Reads a JSON array of requests from standard input and writes the array of answers to standard output:
{"redeem": assertion, "issuer": who made it, "jwks": its keys, "audiences": of this server} is answered as its token
endpoint would, and {"sign": claims, "key": private JWK, "header": header} with an assertion.
"""

import json
import sys

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7523 import JWTBearerGrant
from joserfc.jwk import KeySet, import_key


class Issuer:
    def __init__(self, jwks):
        self.jwks = jwks

    def check_grant_type(self, grant_type):
        return grant_type == JWTBearerGrant.GRANT_TYPE

    def get_allowed_scope(self, scope):
        return scope


class Request(OAuth2Request):
    @property
    def form(self):
        return self.payload.data


class Server(AuthorizationServer):
    def create_oauth2_request(self, request):
        made = Request("POST", "https://as.peer.example/token", headers={})
        made.payload = BasicOAuth2Payload(request)
        return made

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def handle_response(self, status, body, headers):
        return {"status": status, "body": body}


def grant_for(asked):
    class Grant(JWTBearerGrant):
        def resolve_issuer_client(self, issuer):
            return Issuer(asked["jwks"]) if issuer == asked["issuer"] else None

        def resolve_client_public_key(self, client):
            return KeySet.import_key_set(client.jwks)

        def authenticate_user(self, subject):
            return subject

        def get_audiences(self):
            return asked["audiences"]

        def has_granted_permission(self, client, user):
            return True

    return Grant


def redeem(asked):
    server = Server()
    server.register_grant(grant_for(asked))

    def token(grant_type, client, user=None, scope=None, expires_in=None, include_refresh_token=False):
        return {"access_token": f"for {user}", "token_type": "Bearer", "expires_in": 60}

    server.register_token_generator("default", token)
    form = {"grant_type": JWTBearerGrant.GRANT_TYPE, "assertion": asked["redeem"]}
    return server.create_token_response(form)


def sign(asked):
    claims = asked["sign"]
    rest = {name: value for name, value in claims.items() if name not in ("iss", "aud", "sub")}
    return JWTBearerGrant.sign(
        import_key(asked["key"]),
        issuer=claims["iss"],
        audience=claims["aud"],
        subject=claims["sub"],
        expires_in=60,
        claims=rest,
        header=asked["header"],
    )


answers = [redeem(asked) if "redeem" in asked else sign(asked) for asked in json.load(sys.stdin)]
json.dump(answers, sys.stdout)
