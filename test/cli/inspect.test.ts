import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { read } from '../../src/cli/inspect/read.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { at, type Domains, newDomains } from '../support/chaining.ts'
import { NOW } from '../support/world.ts'

describe('what nobody has verified', () => {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const evil = '\u001b[2J\u009b2J\u202e\u2028\r\nverified'

  it('cannot write to a terminal, nor lines of its own', () => {
    const token = [encode({ alg: 'ES256', [evil]: 1 }), encode({ iss: evil, [evil]: [evil] }), 'AAAA'].join('.')
    const answer = JSON.stringify({ error: 'x', error_description: evil, [evil]: [evil] })
    const chain = { ...JSON.parse(answer), access_token: token, error: undefined }
    for (const text of [token, answer, JSON.stringify(chain)]) {
      const { known, lines } = read(text, NOW)
      expect(known).toBe(true)
      expect(lines.join('')).toContain('verified')
      for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    }
  })
})

describe('a token with others inside', () => {
  let domains: Domains
  let certificate: string
  beforeAll(async () => {
    domains = await newDomains()
    const grant = await domains.exchange('larkspur', 'intake', {
      subject_token: domains.file('txn.jwt'),
      subject_token_type: tokenTypes.txnToken,
      audience: at('meridian'),
    })
    const cwt = await domains.redeem('meridian', 'larkspur-claims', grant.token, { audience: at('cobalt') })
    const issued = await domains.exchange('cobalt', 'guest', {
      subject_token: cwt.token,
      subject_token_type: tokenTypes.cwt,
      csr: domains.file('guest.csr'),
    })
    certificate = issued.token
  })
  afterAll(() => domains.close())

  it('is read all the way down, each further in', () => {
    const { known, lines } = read(certificate, NOW)
    expect(known).toBe(true)
    const titles = lines.filter((line) => line.includes('NOT verified'))
    expect(titles).toEqual([
      'X.509 certificate, read, NOT verified',
      '  src_token          COSE_Sign1, read, NOT verified',
      '      src_token          JWT (JWS compact), read, NOT verified',
    ])
    expect(lines).toContainEqual(expect.stringMatching(/^ {10}iss +http:\/\/127\.0\.0\.1:8080\/larkspur$/))
  })

  it('leaves alone what is no token, however long', () => {
    const text = 'x'.repeat(400)
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = [encode({ alg: 'ES256' }), encode({ note: text, hash: 'M'.repeat(200) }), 'a'.repeat(86)].join('.')
    expect(read(token, NOW).lines).toEqual(
      expect.arrayContaining([`  note               ${text}`, `  hash               ${'M'.repeat(200)}`]),
    )
  })

  it('stops where somebody made one without end', () => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    let token = 'end'
    for (let depth = 0; depth < 12; depth += 1) {
      token = [encode({ alg: 'ES256' }), encode({ inner: token }), 'a'.repeat(86)].join('.')
    }
    expect(read(token, NOW).lines.filter((line) => line.includes('NOT verified'))).toHaveLength(9)
  })
})
