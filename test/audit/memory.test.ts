import { expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { record } from '../support/records.ts'

it('keeps records in the order in which they came', () => {
  const sink = auditToMemory()
  for (const id of ['a', 'b', 'c']) sink.write(record(id))
  expect(sink.records.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  expect(auditToMemory().records).toEqual([])
})
