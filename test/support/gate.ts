import type { Stage } from '../../src/core/stage.ts'

/** A stage that lets a test hold an exchange where it is. */
export function gate() {
  let wait: Promise<void> = Promise.resolve()
  const entered: (() => void)[] = []
  const stage: Stage = {
    name: 'gate',
    phase: 'meaning',
    summary: 'waits',
    schema: { type: 'object' },
    prepare: () => ({
      async transform(draft) {
        for (const resolve of entered.splice(0)) resolve()
        await wait
        return draft
      },
    }),
  }
  return {
    stage,
    close() {
      const { promise, resolve } = Promise.withResolvers<void>()
      wait = promise
      const inside = new Promise<void>((done) => entered.push(done))
      return {
        inside,
        open: () => {
          wait = Promise.resolve()
          resolve()
        },
      }
    },
  }
}
