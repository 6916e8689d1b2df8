import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readTest, testCheck } from '../../src/testing/read.ts'
import { headlines, refusalOf } from '../support/profiles.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-read-test-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const check = testCheck()
const file = () => join(folder, 'one.test.yaml')

function read(text: string) {
  writeFileSync(file(), text)
  return readTest(file(), check)
}

const GOOD = `clock: 2030-01-01T00:00:00Z
tokens:
  ada: { claims: { sub: ada } }
  eve: { like: ada, claims: { sub: eve } }
cases:
  - name: one
    request: { subject: ada }
    expect: { refused: ERR_TOKEN_EXPIRED }
  - name: two
    request: { subject: eve }
    expect: { token: { lifetime: 300 } }
`

describe('a test file', () => {
  it('is read with its clock, and tests the profile beside it', () => {
    expect(read(GOOD)).toMatchObject({ clock: 1_893_456_000, profile: join(folder, 'one.yaml') })
    expect(read(`profile: ../other.yaml\n${GOOD}`).profile).toBe(join(folder, '../other.yaml'))
    expect(read(GOOD.replace('2030-01-01T00:00:00Z', '17')).clock).toBe(17)
    expect(read(GOOD.replace(/clock.*\n/, '')).clock).toBe(1_800_000_000)
  })

  it.each([
    ['tokens:', 'tokns:', '2:1: tokns: unknown option; did you mean `tokens`?'],
    ['subject: ada', 'subjet: ada', '7:16: cases[0].request.subjet: unknown option; did you mean `subject`?'],
    ['subject: eve', 'subject: ev', '10:25: cases[1].request.subject: there is no token "ev"; did you mean `eve`?'],
    ['like: ada', 'like: adda', '4:16: tokens.eve.like: there is no token "adda"; did you mean `ada`?'],
    ['ERR_TOKEN_EXPIRED', 'ERR_TOKEN_EXPIRE', '8:24: cases[0].expect.refused: expected one of'],
    ['lifetime: 300', 'lifetim: 300', '11:24: cases[1].expect.token.lifetim: unknown option; did you mean `lifetime`?'],
    ['name: two', 'name: one', '9:11: cases[1].name: is that of another case too'],
    ['{ refused: ERR_TOKEN_EXPIRED }', '{}', '8:13: cases[0].expect: expected exactly one of'],
    ['2030-01-01', '2030-13-01', '1:8: clock: expected a time that there is'],
    ['{ claims: { sub: ada } }', '{ like: eve }', '3:3: tokens.ada: is made of itself'],
    [
      '{ lifetime: 300 }',
      '{ claims: { aud: x } }',
      '11:34: cases[1].expect.token.claims.aud: is not said here; say `audience`',
    ],
    ['{ claims: { sub: ada } }', '{ claims: { jti: x } }', '3:20: tokens.ada.claims.jti: is not said here: each'],
    [
      '{ claims: { sub: ada } }',
      '{ claims: { exp: 1 } }',
      '3:20: tokens.ada.claims.exp: is not said here; say `lifetime`',
    ],
    [
      'ERR_TOKEN_EXPIRED }',
      'ERR_TOKEN_EXPIRED, ledger: { sub: kept } }',
      '8:43: cases[0].expect.ledger: belongs to a case that issues a token',
    ],
    ['lifetime: 300 }', 'lifetime: 300 }, at: select', '11:41: cases[1].expect.at: belongs to a case that is refused'],
  ])('says where it is wrong, and what would be right: %s', (from, to, expected) => {
    expect(GOOD).toContain(from)
    const [first] = headlines(refusalOf(() => read(GOOD.replace(from, to))))
    expect(first?.replace(`${file()}:`, '')).toContain(expected)
  })

  it('that cannot be read says so', () => {
    expect(refusalOf(() => readTest(join(folder, 'none.test.yaml'), check))).toMatchObject({
      code: 'ERR_PROFILE_SYNTAX',
    })
  })
})
