import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { fieldsOf, forwardedRequest } from '../../src/gateway/forwarded.ts'
import { forwardedCertificates } from '../../src/gateway/forwarded-certificate.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500)
const rules = { from: 'x-original', headers: ['x-trace'], certificate: undefined, maxCharacters: 3072 } as const

const told = (uri: string, more: readonly string[] = []) =>
  forwardedRequest(
    {
      ...{ method: 'GET', rest: '' },
      fields: fieldsOf([
        ...['X-Original-Method', 'GET', 'X-Original-URI', uri],
        ...['X-Forwarded-Host', 'api.example', 'X-Forwarded-Proto', 'https', ...more],
      ]),
    },
    rules,
  )

describe('the request that a proxy asks about', () => {
  it('is what was said, in parts', () => {
    expect(told('/a%20b/c?d=e?f', ['X-Trace', 't'])).toMatchObject({
      ...{ method: 'GET', scheme: 'https', host: 'api.example', path: '/a%20b/c', query: 'd=e?f' },
      headers: { 'x-trace': 't' },
    })
    expect(told('/a?').query).toBe('')
    expect(told('/a').query).toBeUndefined()
  })

  it.each(['[::1]:8443', 'localhost', 'a_b.example'])('has a host such as %s', (host) => {
    const { fields } = { fields: fieldsOf(['Host', host, 'X-Forwarded-Proto', 'http']) }
    expect(forwardedRequest({ method: 'GET', rest: '/', fields }, { ...rules, from: 'path' }).host).toBe(host)
  })

  it('has no header field that was not asked for, none twice, and none that is too long or no ASCII', () => {
    expect(told('/', ['X-Other', 'x']).headers).toEqual({})
    const wrong = expect.objectContaining({ code: 'ERR_REQUEST_FORWARDED' })
    for (const more of [
      ['X-Trace', 'a', 'x-trace', 'b'],
      ['X-Trace', 'x'.repeat(1025)],
      ['X-Trace', 'é'],
    ]) {
      expect(() => told('/', more)).toThrow(wrong)
    }
  })

  it('has a path that a URL parser leaves as it is, or is refused with a reason', () => {
    const uri = fc.oneof(
      fc.string(),
      fc.webPath(),
      fc
        .array(fc.constantFrom('/', '.', '..', '%2e', '%2E', '%2f', 'a', '?', '//', '\\', ';', '%'), { maxLength: 12 })
        .map((parts) => `/${parts.join('')}`),
    )
    fc.assert(
      fc.property(uri, (text) => {
        let path: string
        try {
          path = told(text).path
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_REQUEST_FORWARDED' })
          return
        }
        expect(new URL(`https://api.example${path}`).pathname).toBe(path)
      }),
      { numRuns: RUNS },
    )
  })

  it('carries no certificate that cannot be read whole', () => {
    fc.assert(
      fc.property(fc.constantFrom('pem', 'base64', 'structured'), fc.string(), (encoding, text) => {
        try {
          const chain = forwardedCertificates(text, { header: 'client-cert', encoding })
          expect(chain?.every((der) => der.length > 0)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(DragomanError)
        }
      }),
      { numRuns: RUNS },
    )
  })
})
