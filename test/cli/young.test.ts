import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { describe, expect, it } from 'vitest'

/** MiB of room for young objects, in a process that makes many of which some stay, with this done first. */
function roomAfter(first: string): number {
  const program = `
import { boundYoung, youngBytes } from './src/cli/young.ts'
${first}
let kept = []
for (let at = 0; at < 200; at += 1) {
  kept.push(Array.from({ length: 20_000 }, (_, k) => ({ k, a: [k] })))
  if (kept.length > 20) kept = []
  await new Promise((resolve) => setTimeout(resolve))
}
console.log(youngBytes() / 1048576)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }))
}

describe('the room for young objects', () => {
  it('is bounded, where V8 would make it larger', () => {
    const bounded = roomAfter('boundYoung()')
    expect(bounded).toBeGreaterThanOrEqual(8)
    expect(bounded).toBeLessThan(20)
    expect(roomAfter('')).toBeGreaterThan(20)
  })
})
