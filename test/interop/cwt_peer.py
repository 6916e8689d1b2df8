"""Verifies, issues and reads CWTs with Python's cwt, cbor2 and cryptography, for test/interop/cwt-python.test.ts.

Reads a JSON array of requests from standard input and writes the array of answers to standard output. Bytes travel as
{"$bytes": hex}, maps with integer keys as {"$map": [[key, value], ...]}.
"""

import base64
import hashlib
import json
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric import mldsa
from cwt import COSE, COSEKey, CWT, Signer


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_json(value):
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {"$map": [[key, to_json(item)] for key, item in value.items()]}
    return value


def from_json(value):
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict) and "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if isinstance(value, dict) and "$map" in value:
        return {key: from_json(item) for key, item in value["$map"]}
    return value


def verify(request):
    """What a token says, once python-cwt has verified it; or the name of what it threw."""
    key = COSEKey.from_jwk({**request["jwk"], "alg": request["alg"], "key_ops": ["verify"], "kid": request["kid"]})
    return to_json(CWT().decode(unb64(request["token"]), key, no_verify=True))


def issue(request):
    """A CWT as python-cwt makes it; with `sign`, as COSE_Sign."""
    jwk = {**request["jwk"], "alg": request["alg"], "key_ops": ["sign"], "kid": request["kid"]}
    claims = from_json(request["claims"])
    if request.get("sign"):
        signer = Signer.from_jwk(jwk)
        return b64(CWT().encode_and_sign(claims, signers=[signer], tagged=request["tagged"]))
    return b64(CWT().encode_and_sign(claims, COSEKey.from_jwk(jwk), tagged=request["tagged"]))


PUBLIC = {-48: mldsa.MLDSA44PublicKey, -49: mldsa.MLDSA65PublicKey, -50: mldsa.MLDSA87PublicKey}
PRIVATE = {-48: mldsa.MLDSA44PrivateKey, -49: mldsa.MLDSA65PrivateKey, -50: mldsa.MLDSA87PrivateKey}


def verify_mldsa(request):
    """python-cwt has no ML-DSA: RFC 9052 by hand, with cbor2 and the signatures of cryptography."""
    outer = cbor2.loads(unb64(request["token"]))
    assert outer.tag == 61 and outer.value.tag == 18
    protected, _, payload, signature = outer.value.value
    key = cbor2.loads(unb64(request["cose_key"]))
    header = cbor2.loads(protected)
    assert header[1] == key[3] and key[1] == 7
    signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
    PUBLIC[key[3]].from_public_bytes(key[-1]).verify(signature, signed)
    return to_json(cbor2.loads(payload))


def issue_mldsa(request):
    """An ML-DSA CWT, and its key as a COSE_Key, with a key made here."""
    private = PRIVATE[request["alg"]].generate()
    protected = cbor2.dumps({1: request["alg"], 4: request["kid"].encode()}, canonical=True)
    payload = cbor2.dumps(from_json(request["claims"]), canonical=True)
    signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
    token = cbor2.CBORTag(61, cbor2.CBORTag(18, [protected, {}, payload, private.sign(signed)]))
    key = {1: 7, 3: request["alg"], -1: private.public_key().public_bytes_raw()}
    return {"token": b64(cbor2.dumps(token)), "cose_key": b64(cbor2.dumps(key, canonical=True))}


def recode(request):
    """The item, decoded and encoded again in the canonical form of cbor2."""
    return cbor2.dumps(cbor2.loads(bytes.fromhex(request["hex"])), canonical=True).hex()


def thumbprint(request):
    """RFC 9679: SHA-256 over the required parameters in deterministic encoding."""
    return b64(hashlib.sha256(cbor2.dumps(from_json(request["key"]), canonical=True)).digest())


OPERATIONS = {
    "verify": verify,
    "issue": issue,
    "verify_mldsa": verify_mldsa,
    "issue_mldsa": issue_mldsa,
    "recode": recode,
    "thumbprint": thumbprint,
}


def answer(request):
    try:
        return {"ok": OPERATIONS[request["op"]](request)}
    except Exception as error:  # what a peer says no with is part of the answer
        return {"error": type(error).__name__, "text": str(error)}


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
