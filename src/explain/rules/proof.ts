import { at, type Found, placeIn, type Rules } from '../found.ts'
import { shown, timeText } from '../words.ts'

/** Keys whose possession is to be shown. */
export const proofRules: Rules = {
  ERR_PROOF_DPOP: ({ detail, services, now }) => {
    const check = shown(detail['check'] ?? 'form')
    return {
      expected: `a DPoP proof with ${check}: ${shown(detail['expected'])}`.replace(/\b\d{9,}\b/, (seconds) =>
        timeText(seconds),
      ),
      found: `one that fails on ${check}`,
      remedies: [
        FOR_CHECK[check]?.(services.tokenEndpoint, now) ??
          `make the proof anew, with ${check} as RFC 9449 section 4.2 has it: ${shown(detail['expected'])}`,
      ],
    }
  },
  ERR_PROOF_REPLAYED: () => ({
    expected: 'a DPoP proof that has not been used',
    found: 'a jti that has',
    remedies: ['make a new proof, with a jti of its own, for each request, retries included'],
  }),
  ERR_PROOF_NONCE: () => ({
    expected: 'a DPoP proof with a nonce of this gateway (RFC 9449 section 8)',
    found: 'none, or one that was given too long ago',
    remedies: [
      'take the value of the DPoP-Nonce header field of the answer, put it into `nonce` of a new proof, and ask again',
    ],
  }),
  ERR_PROOF_CERTIFICATE: ({ detail }) => ({
    expected: shown(detail['expected']),
    ...(detail['reason'] !== undefined && { found: `a certificate refused with ${shown(detail['reason'])}` }),
    remedies: [
      'connect with a certificate in strict DER, with a P-256, P-384, P-521, Ed25519, RSA or ML-DSA key',
      'or connect without one, where none is needed',
    ],
  }),
  ERR_PROOF_REQUIRED: required,
  ERR_PROOF_MISMATCH: (found) => {
    const { token, proofs, stage, role } = found
    const bound = token?.confirmation?.jkt ?? token?.confirmation?.publicKey?.jkt ?? token?.confirmation?.x5tS256
    const [proof] = proofs
    return {
      path: stage ?? `accept.${role}.presented_by`,
      expected: `a proof by the key that the ${role} token is bound to${bound === undefined ? '' : `: ${shown(bound)}`}`,
      ...(proof !== undefined && { found: `a ${proof.method} proof by another key: ${shown(proof.publicKey.jkt)}` }),
      remedies: [
        'sign the proof with the key that the token was issued for',
        stage === undefined
          ? `or, where a resource server presents what it received: set presented_by: audience${at(found, `accept.${role}.presented_by`)}`
          : `or, where the token is to change hands: set \`rebind: client\` or \`rebind: actor\`${at(found, stage)}`,
      ],
    }
  },
}

const FOR_CHECK: { readonly [check: string]: ((endpoint: string, now: number) => string) | undefined } = {
  htu: (endpoint) => `make htu ${endpoint}: the URL of the token endpoint, as the configuration has it`,
  htm: () => 'make htm POST',
  iat: (_, now) => `make the proof at the time of the request: it is ${timeText(now)} here; compare the clocks`,
  typ: () => 'make typ dpop+jwt in the header of the proof',
  one: () => 'send one DPoP header field',
  ath: () => 'leave ath out, or make it the SHA-256 of subject_token',
  jwk: () => 'put the public key, whole and without private members, into jwk of the header',
  signature: () => 'sign the proof with the private half of the key in its header',
}

function required(found: Found) {
  const { detail, stage, profile, clientId = '', configuration } = found
  const expected = shown(detail['expected'])
  if (detail['rule'] === 'dpop_bound_access_tokens') {
    const place = configuration?.client(clientId, 'dpop_bound_access_tokens')
    return {
      place,
      expected,
      found: 'no proof',
      remedies: [
        'send a DPoP proof (header field DPoP, RFC 9449)',
        `or, if ${shown(clientId)} may have bearer tokens: take dpop_bound_access_tokens out of its entry in clients`,
      ],
    }
  }
  const format = profile?.steps.find((step) => step.stage === 'format')?.path ?? 'stages'
  const path = stage ?? format
  return {
    place: placeIn(profile, path),
    expected,
    found: 'no such proof',
    remedies: [
      'send csr: a PKCS#10 request signed with the key that the output is to be for',
      'or a DPoP proof by it (header field DPoP), or connect with its certificate',
      ...(stage === undefined ? [] : [`or take \`require: true\` out${at(found, stage)}, if a bearer token will do`]),
    ],
  }
}
