import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lineOf } from '../../src/audit/line.ts'
import { record } from '../support/records.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 50)

// What ends a line for one reader or another (Unicode UAX #14, Python's splitlines), and what a terminal obeys.
const BREAKS = [
  '\n',
  '\r',
  '\r\n',
  '\v',
  '\f',
  '\x1c',
  '\x1d',
  '\x1e',
  '\x1b',
  '\x7f',
  '\x85',
  '\x9b',
  '\u2028',
  '\u2029',
]

describe('a line of the audit stream', () => {
  it('is one JSON object and one line feed', () => {
    const line = lineOf(record('a', { client: 'orders' }))
    expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(line)).toEqual(record('a', { client: 'orders' }))
  })

  it('leaves out what is undefined', () => {
    expect(lineOf(record('a', { code: undefined }))).not.toContain('code')
  })

  it.each(BREAKS.map((text) => [JSON.stringify(text), text]))('is not broken by %s', (_, text) => {
    const written = record('a', { client: `x${text}{"result":"issued"}` })
    const line = lineOf(written)
    expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
    expect(JSON.parse(line)).toEqual(written)
  })

  it('says what the record says, on one line, whatever that is', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (client, scope) => {
        const line = lineOf(record('a', { client, scope }))
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(JSON.parse(line)).toEqual(record('a', { client, scope }))
      }),
      { numRuns: RUNS },
    )
  })
})
