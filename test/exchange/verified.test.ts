import { beforeEach, describe, expect, it } from 'vitest'
import type { Codec } from '../../src/core/codec.ts'
import type { Services, VerifiedBefore } from '../../src/core/exchange.ts'
import type { TokenAcceptance } from '../../src/core/profile.ts'
import type { Envelope } from '../../src/core/token.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { verifyToken } from '../../src/exchange/verify.ts'
import { verifiedStore } from '../../src/stores/verified.ts'
import {
  acceptance,
  ISSUER,
  NOW,
  PLAIN,
  plainCodec,
  profile,
  subjectToken,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

const OTHER_TYPE = 'urn:example:token-type:other'
const SECOND = 'https://second.example'
const refusal = (code: string) => expect.objectContaining({ code })

/** Every issuer that a signature was verified against. */
let asked: string[]
let epoch: number
/** What happens while a signature is being verified. */
let meanwhile: () => void

beforeEach(() => {
  asked = []
  epoch = 1
  meanwhile = () => {}
})

const watched = (timeless: boolean): Codec => {
  const codec = plainCodec('plain', [PLAIN, OTHER_TYPE])
  return {
    ...codec,
    timeless,
    parse(envelope) {
      const unverified = codec.parse(envelope)
      return (
        unverified && {
          ...unverified,
          async verify(issuer, rules) {
            asked.push(issuer.issuer)
            await Promise.resolve()
            meanwhile()
            return unverified.verify(issuer, rules)
          },
        }
      )
    },
  }
}

const withEpoch = (name: string): TrustedIssuer => {
  const issuer = trusted(name)
  return {
    ...issuer,
    anchor: {
      ...issuer.anchor,
      get epoch() {
        return epoch
      },
    },
  }
}

const remembering = (differs: Partial<Services> = {}): Partial<Services> => ({
  codecs: [watched(true), { ...watched(true), format: 'plain2' }],
  trust: trustOf(withEpoch(ISSUER), withEpoch(SECOND)),
  verified: verifiedStore<VerifiedBefore>(),
  ...differs,
})

const servicesWith = (differs: Partial<Services> = {}): Services => world(profile(), remembering(differs)).services

interface Presented {
  readonly raw?: string
  readonly type?: string
  readonly role?: Envelope['role']
  readonly accept?: Partial<TokenAcceptance>
  readonly now?: number
  readonly services: Services
}

const types = [PLAIN, OTHER_TYPE]
function verify({ raw = subjectToken(), type = PLAIN, role = 'subject', accept, now = NOW, services }: Presented) {
  const envelope: Envelope = { raw, type, role }
  return verifyToken(envelope, acceptance({ types, ...accept }), { now, caller: undefined, proofs: [] }, services)
}

describe('a token that was verified a moment ago', () => {
  it('is not verified again', async () => {
    const services = servicesWith()
    const first = await verify({ services })
    expect(await verify({ services })).toEqual(first)
    expect(asked).toEqual([ISSUER])
  })

  it('is verified again after a minute, to the second, however often it was asked for', async () => {
    const services = servicesWith()
    for (const now of [NOW, NOW + 30, NOW + 59]) await verify({ services, now })
    expect(asked).toHaveLength(1)
    await verify({ services, now: NOW + 60 })
    expect(asked).toHaveLength(2)
  })

  it('is verified each time where the format depends on the time, or there is no store', async () => {
    for (const services of [servicesWith({ codecs: [watched(false)] }), servicesWith({ verified: undefined })]) {
      asked = []
      await verify({ services })
      await verify({ services })
      expect(asked).toHaveLength(2)
    }
  })

  it.each<[string, Partial<Presented>]>([
    ['another token', { raw: subjectToken({ jti: 'another' }) }],
    ['the same under another type', { type: OTHER_TYPE }],
    ['the same as a grant, which is held to more', { role: 'grant' }],
    ['the same as another kind', { accept: { kind: 'jwt' } }],
    ['the same in another format', { accept: { format: 'plain2' } }],
    ['the same with its subject from elsewhere', { accept: { subjectFrom: 'san_dns' } }],
    ['the same for another purpose', { accept: { extendedKeyUsage: ['1.2.3'] } }],
  ])('says nothing of %s', async (_, differs) => {
    const services = servicesWith()
    await verify({ services })
    await verify({ services, ...differs })
    expect(asked).toHaveLength(2)
  })

  it('says nothing of the same with its signature changed', async () => {
    const services = servicesWith()
    const raw = subjectToken()
    await verify({ services, raw })
    await expect(verify({ services, raw: `${raw}A` })).rejects.toThrow(refusal('ERR_TOKEN_SIGNATURE'))
  })

  it('is verified again with the keys that its issuer has by then (S-13)', async () => {
    const services = servicesWith()
    await verify({ services })
    epoch = 2
    await verify({ services })
    expect(asked).toHaveLength(2)
  })

  it('was verified with the keys of before, where they changed in the middle of it', async () => {
    const services = servicesWith()
    meanwhile = () => {
      epoch = 2
    }
    await verify({ services })
    await verify({ services })
    expect(asked).toHaveLength(2)
  })

  it('is verified again where its issuer is configured anew', async () => {
    const services = servicesWith()
    await verify({ services })
    const after = { ...services, trust: trustOf(withEpoch(ISSUER)) }
    await verify({ services: after })
    expect(asked).toHaveLength(2)
  })

  it('is refused where its issuer is no longer trusted, or another profile does not take it', async () => {
    const services = servicesWith()
    await verify({ services })
    const untrusting = { ...services, trust: trustOf(withEpoch(SECOND)) }
    await expect(verify({ services: untrusting })).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    const elsewhere = verify({ services, accept: { issuers: [SECOND] } })
    await expect(elsewhere).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    expect(asked).toHaveLength(1)
  })

  it('is not remembered when it did not verify', async () => {
    const services = servicesWith()
    const forged = { services, raw: `${subjectToken()}A` }
    for (const _ of [1, 2]) await expect(verify(forged)).rejects.toThrow(refusal('ERR_TOKEN_SIGNATURE'))
    expect(asked).toEqual([ISSUER, ISSUER])
  })

  it.each<[string, Partial<Presented>, string]>([
    ['its type', { accept: { types: [OTHER_TYPE] } }, 'ERR_REQUEST_TOKEN_TYPE'],
    ['the algorithm', { accept: { algorithms: ['Ed25519'] } }, 'ERR_TOKEN_ALGORITHM'],
    ['the audience', { accept: { audience: ['x'] } }, 'ERR_TOKEN_AUDIENCE'],
    ['its age', { accept: { maxAge: 1 } }, 'ERR_TOKEN_TOO_OLD'],
    ['what is required', { accept: { require: ['email'] } }, 'ERR_PROFILE_REQUIRED'],
  ])('is held to %s all the same', async (_, differs, code) => {
    const services = servicesWith()
    await verify({ services })
    await expect(verify({ services, ...differs })).rejects.toThrow(refusal(code))
    expect(asked).toHaveLength(1)
  })

  it('expires while it is remembered', async () => {
    const services = servicesWith()
    const raw = subjectToken({ exp: NOW + 5 })
    await verify({ services, raw, now: NOW + 4 })
    await expect(verify({ services, raw, now: NOW + 5 })).rejects.toThrow(refusal('ERR_TOKEN_EXPIRED'))
  })

  it('has to be proved by its holder each time', async () => {
    const subject_token = subjectToken({ cnf: { jkt: 'k1' } })
    const { exchange } = world(profile(), remembering())
    await exchange({ subject_token, dpop: ['k1'] })
    await expect(exchange({ subject_token })).rejects.toThrow(refusal('ERR_TOKEN_UNPROVED'))
    await expect(exchange({ subject_token, dpop: ['k2'] })).rejects.toThrow(refusal('ERR_PROOF_MISMATCH'))
    expect(asked).toHaveLength(1)
  })

  it('is for single use once, and then not remembered: it is verified each time', async () => {
    const { exchange } = world(profile({ subject: { singleUse: true } }), remembering())
    await exchange()
    await expect(exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    expect(asked).toHaveLength(2)
  })

  it('cannot be changed by the exchange that it was verified for', async () => {
    const services = servicesWith()
    const first = await verify({ services })
    expect(() => Object.assign(first.claims, { sub: 'admin' })).toThrow(TypeError)
    expect((await verify({ services })).claims['sub']).toBe('user-7')
  })
})
