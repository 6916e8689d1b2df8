import type { Entry } from './document.ts'
import type { Report } from './report.ts'

const ONCE = ['format', 'encoding', 'crypto'] as const

/**
 * Reports stages in an order that cannot work: what the token says comes before how it is written; `format` comes first of
 * the latter, since it decides what the others can say; each of the latter stands once, and takes no `when`.
 */
export function checkOrder(entries: readonly Entry[], report: Report): void {
  const refuse = ({ path }: Entry, message: string) =>
    report.add({ path, message, code: 'ERR_PROFILE_ORDER', atName: true })
  let written: Entry | undefined
  for (const entry of entries) {
    if (entry.stage.phase === 'writing') {
      written ??= entry
      if (entry.when !== undefined) refuse(entry, 'takes no `when`: how the token is written is settled at load')
    } else if (written) {
      refuse(entry, `expected before \`${written.stage.name}\`: what the token says comes before how it is written`)
    }
  }
  for (const name of ONCE) {
    const [, ...more] = entries.filter(({ stage }) => stage.name === name)
    for (const entry of more) refuse(entry, `\`${name}\` may stand once`)
  }
  const format = entries.findIndex(({ stage }) => stage.name === 'format')
  if (format === -1) {
    const message = 'expected a `format` stage, which says what is issued'
    report.add({ path: ['stages'], message, code: 'ERR_PROFILE_ORDER', atName: true })
    return
  }
  for (const entry of entries.slice(0, format)) {
    if (entry.stage.phase !== 'writing') continue
    refuse(entry, `expected after \`format\`, which decides what \`${entry.stage.name}\` can say`)
  }
}
