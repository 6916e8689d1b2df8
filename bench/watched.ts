import { fork } from 'node:child_process'
import { join } from 'node:path'

/** How long `/livez` and `/metrics` took to answer, in milliseconds, sorted. */
export interface Watched {
  readonly livez: Float64Array
  readonly metrics: Float64Array
}

/**
 * Asks a gateway whether it lives, as a prober does: from a process of its own, which does nothing else, and by a connection
 * of its own each time. What a busy driver waits for is then not taken for what the gateway makes it wait.
 */
export async function watched(port: number): Promise<{ stop(): Promise<Watched> }> {
  const child = fork(join(import.meta.dirname, 'prober.ts'), [String(port)])
  const heard = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once('message', resolve)
      child.once('exit', () => reject(new Error('the prober ended: /livez or /metrics did not say 200')))
    })
  await heard()
  return {
    async stop() {
      const answer = heard()
      child.send('stop')
      const { livez, metrics } = (await answer) as { livez: number[]; metrics: number[] }
      return { livez: Float64Array.from(livez).sort(), metrics: Float64Array.from(metrics).sort() }
    },
  }
}
