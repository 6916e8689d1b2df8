import { expect, it } from 'vitest'
import { showLedger, showRecord } from '../../src/cli/show.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { profile, subjectToken, world } from '../support/fakes.ts'

const EVIL = '\u001b[2J\u009b2J\u202e\u2028\r\nissued'

/** The record of an exchange of a token with a claim of this name. */
async function recordOf(claim: string): Promise<AuditRecord> {
  const { exchange, records } = world(profile())
  await exchange({ subject_token: subjectToken({ [claim]: 1 }) })
  return records[0] ?? expect.unreachable()
}

it('a claim cannot write to a terminal by its name, nor lines of its own', async () => {
  const record = await recordOf(EVIL)
  const honest = showRecord(await recordOf('other'), { trace: true }).split('\n')
  const lines = showRecord(record, { trace: true }).split('\n')
  expect(lines).toHaveLength(honest.length)
  for (const line of [...lines, ...showLedger(record.ledger ?? [])]) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
})
