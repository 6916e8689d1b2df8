import { describe, expect, it } from 'vitest'
import { errors } from '../../src/core/errors.ts'
import { rules } from '../../src/explain/rules/index.ts'
import { shown, spanText, timeText } from '../../src/explain/words.ts'
import type { Office } from '../support/explaining.ts'
import { chainingCases } from './cases/chaining.ts'
import { ALONE, RECORDED } from './cases/served.ts'
import { shopCases } from './cases/shop.ts'
import { tokenCases } from './cases/token.ts'
import { transactionCases } from './cases/transaction.ts'

/** What no request can provoke, and why. */
const UNPROVOKED: { readonly [code: string]: string } = {
  ERR_PROFILE_SYNTAX: 'stops the start, or a reload',
  ERR_PROFILE_SCHEMA: 'stops the start, or a reload',
  ERR_PROFILE_OPTION: 'stops the start, or a reload',
  ERR_PROFILE_ORDER: 'stops the start, or a reload',
  ERR_PROFILE_RENDERING: 'stops the start, or a reload',
  ERR_TRUST_CONFIG: 'stops the start, or a reload',
  ERR_KEY_CONFIG: 'stops the start, or a reload',
  ERR_INTERNAL: 'a defect: a request that provokes one is a bug to be mended',
  ERR_REQUEST_INSUFFICIENT_SCOPE: 'said by a service with `dragoman/verify`, of requests to itself',
  ERR_REQUEST_UNLISTED: 'said by a service with `dragoman/verify`, of requests to itself',
  ERR_REQUEST_ALTERED: 'said by a service with `dragoman/verify`, of requests to itself',
}

// No case is run here: what is asked is which there are.
const nowhere = {
  ...{ folder: '', file: () => '', edit() {}, reset() {}, close() {} },
  alpha: { files: new Map(), signers: {} },
} as unknown as Office

const explained = new Set<string>([
  ...[shopCases, tokenCases, chainingCases, transactionCases].flatMap((of) => of(nowhere).map(({ code }) => code)),
  ...Object.keys(RECORDED),
  ...Object.keys(ALONE),
])

describe('every reason code that a request can provoke', () => {
  const provoked = Object.keys(errors).filter((code) => !(code in UNPROVOKED))

  it.each(provoked)('%s has words of its own, and a case that they help in', (code) => {
    expect(code in rules).toBe(true)
    expect([...explained]).toContain(code)
  })

  it('is in the catalogue, or was taken out of it', () => {
    const known = Object.keys(errors)
    expect(
      [...Object.keys(UNPROVOKED), ...explained, ...Object.keys(rules)].filter((code) => !known.includes(code)),
    ).toEqual([])
    expect(Object.keys(UNPROVOKED).filter((code) => explained.has(code))).toEqual([])
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
