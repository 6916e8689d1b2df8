import { generateKeyPairSync } from 'node:crypto'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { variablesOf } from '../../src/core/variables.ts'
import { parseCertificate } from '../../src/wire/certificate.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { draftOf, exchangeOf } from '../support/exchange.ts'
import { authority } from '../support/x509.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const CALLS = 4000
// What a call holds while it runs, in bytes: far more than code that is compiled meanwhile comes to for each call.
const WEIGHT = 4096

/** Bytes for each call that outlive their use, until the old generation is collected: none should. */
function outliving(call: (weight: readonly number[]) => unknown): number {
  const many = () => {
    for (let at = 0; at < CALLS; at += 1) call(Array.from({ length: WEIGHT / 8 }, () => 0.5 + at))
  }
  many()
  collect()
  const before = oldSpace()
  many()
  return (oldSpace() - before) / CALLS
}

const oldSpace = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_used_size ?? 0

/** What something is made of, with a weight that must go when it goes. */
const laden = <T extends object>(from: T, weight: readonly number[]): T => Object.assign(from, { weight })

describe('what is made for one request goes with it', () => {
  it('the variables of its expressions, and the exchange that they are read from', () => {
    const exchange = exchangeOf({})
    const bytes = outliving((weight) => variablesOf(draftOf(exchange), laden({ ...exchange }, weight)).subject)
    expect(bytes).toBeLessThan(WEIGHT / 4)
  })

  it('the key of a proof', () => {
    const { publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(outliving((weight) => publicKey(laden(Object.create(key), weight)).key)).toBeLessThan(WEIGHT / 4)
  })

  it('a certificate', () => {
    const { certificate } = authority('Root')
    expect(outliving((weight) => parseCertificate(laden(Buffer.from(certificate), weight)).der)).toBeLessThan(
      WEIGHT / 4,
    )
  })
})
