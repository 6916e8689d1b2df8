import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { describe, expect, it } from 'vitest'

const run = (program: string): number =>
  Number(
    execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '--eval', program], { encoding: 'utf8' }),
  )

/** MiB of room for young objects: the most of it, in a process that makes many of which some stay, or what is there after. */
const roomAfter = (first: string, which: 'most' | 'last'): number =>
  run(`
import { boundYoung, youngBytes } from './src/cli/heap.ts'
let most = 0
async function work() {
  let kept = []
  for (let at = 0; at < 3000; at += 1) {
    kept.push(Array.from({ length: 1000 }, (_, k) => ({ k, a: [k] })))
    if (kept.length > 600) kept = []
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, youngBytes())
  }
}
${first}
const last = youngBytes()
console.log(${which} / 1048576)`)

/** MiB of garbage among old objects, made where lasting ones were made before. */
function oldGarbageAfter(first: string): number {
  return run(`
import { getHeapSpaceStatistics } from 'node:v8'
import { parseDocument } from 'yaml'
import { beginYoung } from './src/cli/heap.ts'
${first}
const old = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space').space_used_size
const entry = (n) => '- { issuer: https://i' + n + '.example, jwks_file: alpha.json, subjects: ["*"] }\\n'
const kept = parseDocument(Array.from({ length: 1000 }, (_, n) => entry(n)).join(''))
globalThis.gc()
const before = old()
for (let n = 0; n < 5000; n += 1) parseDocument(entry(n).repeat(4))
console.log((old() - before) / 1048576)`)
}

describe('the room for young objects', () => {
  it('is bounded', () => {
    const bounded = roomAfter('boundYoung(); await work()', 'most')
    expect(bounded).toBeGreaterThanOrEqual(16)
    expect(bounded).toBeLessThanOrEqual(48)
  })

  it('grows up to there again when V8 has made it smaller in between', () => {
    const quiet = `while (youngBytes() >= 16 * 1048576) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  globalThis.gc()
}`
    expect(roomAfter(`boundYoung(); await work(); ${quiet} await work()`, 'last')).toBeGreaterThanOrEqual(16)
  })
})

describe('an object that does not last', () => {
  it('is not put among the old ones because others did last that were made in the same place', () => {
    expect(oldGarbageAfter('beginYoung()')).toBeLessThan(4)
  })
})
