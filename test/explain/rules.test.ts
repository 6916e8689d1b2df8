import { describe, expect, it } from 'vitest'
import { errors } from '../../src/core/errors.ts'
import { rules } from '../../src/explain/rules/index.ts'
import { shown, spanText, timeText } from '../../src/explain/words.ts'

/** What no exchange comes to: said before there is one, or when a configuration is loaded. */
const ELSEWHERE = [
  ...[
    'METHOD',
    'ENDPOINT',
    'READ_ONLY',
    'HTTP',
    'HEADERS',
    'TIMEOUT',
    'MEDIA_TYPE',
    'TOO_LARGE',
    'FORM',
    'BATCH',
    'FORWARDED',
  ].map((name) => `ERR_REQUEST_${name}`),
  ...['SYNTAX', 'SCHEMA', 'OPTION', 'ORDER', 'RENDERING'].map((name) => `ERR_PROFILE_${name}`),
  // Said by a service that verifies, of requests to itself.
  ...['INSUFFICIENT_SCOPE', 'UNLISTED', 'ALTERED'].map((name) => `ERR_REQUEST_${name}`),
  ...['ERR_CLIENT_SLOWED', 'ERR_TRUST_CONFIG', 'ERR_KEY_CONFIG', 'ERR_OVERLOADED'],
]

describe('the words for a refusal', () => {
  it('are there for each reason code that an exchange can come to', () => {
    const without = Object.keys(errors).filter((code) => !(code in rules) && !ELSEWHERE.includes(code))
    expect(without).toEqual([])
    expect(ELSEWHERE.filter((code) => code in rules || !(code in errors))).toEqual([])
  })
})

describe('what is shown of a value', () => {
  it.each([
    ['text as it is', 'https://orders.example', 'https://orders.example'],
    ['no character that moves a cursor', 'a\u001b[31mb\nc', 'a\ufffd[31mb\ufffdc'],
    ['none that turns text around', 'a\u202eb', 'a\ufffdb'],
    ['not more than a line', 'a'.repeat(500), `${'a'.repeat(160)}…`],
    ['a list as JSON', ['a', 1], '["a",1]'],
  ])('%s', (_, value, text) => expect(shown(value)).toBe(text))

  it.each([
    [1, '1 second'],
    [90, '90 seconds'],
    [600, '10 minutes'],
    [7200, '2 hours'],
    [259_200, '3 days'],
  ])('%i seconds as %s', (seconds, text) => expect(spanText(seconds)).toBe(text))

  it('a time in UTC, and one that is none as that', () => {
    expect(timeText(1_800_000_000)).toBe('2027-01-15T08:00:00Z')
    expect(timeText('soon')).toBe('a time that is none')
  })
})
