import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { explanationText } from '../../src/explain/text.ts'
import { newOffice, placeOf } from '../support/explaining.ts'
import { WORKLOAD } from '../support/world.ts'
import { chainingCases } from './cases/chaining.ts'
import { shopCases } from './cases/shop.ts'
import { tokenCases } from './cases/token.ts'
import { transactionCases } from './cases/transaction.ts'

const offices = {
  dev: await newOffice(),
  chaining: await newOffice('identity-chaining'),
  transactions: await newOffice('transaction-tokens'),
}
afterAll(() => {
  for (const office of Object.values(offices)) office.close()
})

const cases = [
  ...[...shopCases(offices.dev), ...tokenCases(offices.dev)].map((one) => ({ ...one, office: offices.dev })),
  ...chainingCases(offices.chaining).map((one) => ({ ...one, office: offices.chaining })),
  ...transactionCases(offices.transactions).map((one) => ({ ...one, office: offices.transactions })),
]

describe('a refusal is explained so that it can be put right from the text alone', () => {
  it('thirty different ones, and more', () => {
    expect(new Set(cases.map(({ code }) => code)).size).toBeGreaterThanOrEqual(30)
  })

  it.each(cases)('$code: $title', async ({ office, code, edit, ask, place, expected, found, remedy, mend }) => {
    office.reset()
    edit?.()
    const attempt = await ask()
    const explanation = await office.explain(attempt.parameters, attempt.asking)
    const { refusal } = explanation
    expect(refusal?.code, JSON.stringify(explanation)).toBe(code)
    expect(refusal?.expected).toMatch(expected)
    if (found !== undefined) expect(refusal?.found).toMatch(found)
    expect(refusal?.remedies).toContainEqual(
      typeof remedy === 'string' ? expect.stringContaining(remedy) : expect.stringMatching(remedy),
    )
    if (place !== undefined) {
      const [file, what] = place
      expect(refusal?.place).toMatchObject({ file: join(office.folder, file), ...placeOf(office.file(file), what) })
    }
    // The text has all of it.
    const text = explanationText(explanation)
    for (const said of [code, refusal?.expected, refusal?.found, ...(refusal?.remedies ?? [])]) {
      if (said !== undefined) expect(text).toContain(said)
    }
    if (refusal?.place) expect(text).toContain(`${refusal.place.file}:${refusal.place.line}:${refusal.place.column}`)
    // None of it is anybody's affair but the operator's: no token, and no personal claim.
    const all = JSON.stringify(explanation)
    for (const personal of [WORKLOAD, 'orders@alpha.example', attempt.parameters['subject_token']]) {
      if (typeof personal === 'string') expect(all).not.toContain(personal)
    }
    // Afterwards the record says the same thing of it, without what only the tokens could tell.
    const afterwards = await office.afterwards(attempt.parameters, attempt.asking)
    expect(afterwards.refusal).toMatchObject({ code, step: refusal?.step, expected: expect.any(String) })
    for (const told of [refusal, afterwards.refusal]) {
      const words = [told?.expected, told?.found ?? '', ...(told?.remedies ?? [])].join('\n')
      expect(words).not.toMatch(/undefined|\[object|NaN|Invalid|\bnothing\b|``|: *$|= *$| {2}/m)
    }
    expect(afterwards.refusal?.remedies.length).toBeGreaterThan(0)
    // And whoever does what it says gets through.
    const mended = await mend?.(attempt)
    if (mended !== undefined) {
      const after = await office.explain(mended.parameters, mended.asking)
      expect(after.result, JSON.stringify(after.refusal)).toBe('would_pass')
    }
  })
})
