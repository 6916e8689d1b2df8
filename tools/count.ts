import { readFileSync } from 'node:fs'
import process from 'node:process'

// Prints the one line that says how many tests passed, and exits as the tests did.
const [file = '', code = '1'] = process.argv.slice(2)
try {
  const { numPassedTests, numFailedTests, numFailedTestSuites, numPendingTests } = JSON.parse(
    readFileSync(file, 'utf8'),
  ) as {
    [count: string]: number
  }
  // A suite that did not load has no failed test of its own, and has failed.
  const failed = Math.max(numFailedTests ?? 0, (numFailedTestSuites ?? 0) > 0 && !numFailedTests ? 1 : 0)
  const skipped = numPendingTests ? `, ${numPendingTests} skipped` : ''
  console.log(`${numPassedTests} passed, ${failed} failed${skipped}`)
  process.exitCode = failed > 0 ? 1 : Number(code)
} catch {
  console.log('0 passed, 1 failed')
  process.exitCode = 1
}
