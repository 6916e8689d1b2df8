import { createHash } from 'node:crypto'
import { jwt } from '../../src/codecs/jwt/index.ts'
import { x509Codec } from '../../src/codecs/x509/index.ts'
import type { ClientTools } from '../../src/core/client.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { fakeReplay, GATEWAY, NOW } from './fakes.ts'

export const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

export const basic = (id: string, secret: string): string => {
  const encoded = [id, secret].map((part) => new URLSearchParams([['', part]]).toString().slice(1)).join(':')
  return `Basic ${Buffer.from(encoded).toString('base64')}`
}

/** The tools that the recipe gives to a client method, with the codecs that read assertions and certificates. */
export function clientTools(differs: Partial<ClientTools> = {}): ClientTools {
  const codecs = [jwt(), x509Codec()]
  return {
    now: NOW,
    clockSkew: 30,
    issuer: GATEWAY,
    tokenEndpoint: `${GATEWAY}/token`,
    replay: fakeReplay(),
    async verify(envelope, issuer, rules) {
      const unverified = codecs.find(({ tokenTypes }) => tokenTypes.includes(envelope.type))?.parse(envelope)
      if (!unverified) throw new DragomanError('ERR_CLIENT_MALFORMED')
      return unverified.verify(issuer, rules)
    },
    ...differs,
  }
}
