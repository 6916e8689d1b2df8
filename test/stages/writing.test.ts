import { describe, expect, it } from 'vitest'
import type { Rendering } from '../../src/core/token.ts'
import { map } from '../../src/core/value.ts'
import { type CryptoOptions, crypto } from '../../src/stages/crypto.ts'
import { encoding } from '../../src/stages/encoding.ts'
import { format } from '../../src/stages/format.ts'
import { code, prepared } from '../support/exchange.ts'

const start: Rendering = {
  format: 'jwt',
  kind: 'at+jwt',
  options: map([['alg_names', 'classic']]),
  key: undefined,
  algorithm: undefined,
  header: map([['x', 1]]),
  kid: true,
  tokenType: 'urn:before',
}

describe('format', () => {
  it('says the format, its kind and the token type, and leaves the rest alone', () => {
    expect(prepared(format, { to: 'x509', kind: 'x509-svid', token_type: 'urn:x' }).render?.(start)).toEqual({
      ...start,
      format: 'x509',
      kind: 'x509-svid',
      tokenType: 'urn:x',
    })
  })

  it('does not carry kind and token type from one format into another', () => {
    expect(prepared(format, { to: 'cwt' }).render?.(start)).toMatchObject({ kind: undefined, tokenType: undefined })
  })
})

describe('encoding', () => {
  it('adds its options to those of an earlier stage', () => {
    const { render } = prepared(encoding, { serialization: 'general', nested: { list: [1] } })
    expect(render?.(start).options).toEqual(
      map(Object.entries({ alg_names: 'classic', serialization: 'general', nested: map([['list', [1]]]) })),
    )
  })

  it('refuses a value that is no plain one', () => {
    expect(() => prepared(encoding, { at: new Date(0) })).toThrow(code('ERR_PROFILE_OPTION', { path: 'at' }))
  })
})

describe('crypto', () => {
  const load = (options: CryptoOptions) => prepared(crypto, options)

  it('says key, algorithm, kid and header', () => {
    const options: CryptoOptions = { key: 'edge', algorithm: 'ES256', kid: false, header: { y: 'z' } }
    const header = map(Object.entries({ x: 1, y: 'z' }))
    expect(load(options).render?.(start)).toEqual({ ...start, key: 'edge', algorithm: 'ES256', kid: false, header })
  })

  it('takes whichever algorithm the key is of, and names the key, unless told otherwise', () => {
    expect(load({ key: 'edge' }).render?.(start)).toMatchObject({ algorithm: undefined, kid: true })
  })

  it('knows EdDSA as the older name of Ed25519', () => {
    expect(load({ key: 'edge', algorithm: 'EdDSA' }).render?.(start)).toMatchObject({ algorithm: 'Ed25519' })
  })

  it('refuses an algorithm that is not in the table', () => {
    expect(() => load({ key: 'edge', algorithm: 'HS256' })).toThrow(code('ERR_PROFILE_OPTION', { path: 'algorithm' }))
  })

  it.each(['alg', 'kid', 'typ', 'crit', 'b64', 'jwk', 'x5c'])('refuses the header member %s', (name) => {
    expect(() => load({ key: 'edge', header: { [name]: 'x' } })).toThrow(
      code('ERR_PROFILE_OPTION', { path: `header.${name}` }),
    )
  })

  it('refuses a header value that is no plain one', () => {
    expect(() => load({ key: 'edge', header: { y: Number.NaN } })).toThrow(
      code('ERR_PROFILE_OPTION', { path: 'header.y' }),
    )
  })
})
