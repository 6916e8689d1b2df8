import { describe, expect, it } from 'vitest'
import { turns } from '../../src/gateway/turn.ts'

const overloaded = expect.objectContaining({ code: 'ERR_OVERLOADED', retryAfter: 1 })

describe('turns', () => {
  it('starts what came in one turn together, so that their steps alternate', async () => {
    const { run } = turns()
    const steps: string[] = []
    const job = (name: string) => async () => {
      for (const step of ['verify', 'sign']) {
        steps.push(`${step} ${name}`)
        await undefined
      }
      return name
    }
    const answers = await Promise.all([run(job('a')), run(job('b'))])
    expect(answers).toEqual(['a', 'b'])
    expect(steps).toEqual(['verify a', 'verify b', 'sign a', 'sign b'])
  })

  it('runs all of more than one group', async () => {
    const { run } = turns()
    const jobs = Array.from({ length: 100 }, (_, at) => run(async () => at))
    expect(await Promise.all(jobs)).toEqual(Array.from({ length: 100 }, (_, at) => at))
  })

  it('refuses what finds the queue full, without beginning it', async () => {
    const { run } = turns({ queued: 2, inFlight: 10 })
    let begun = 0
    const job = async () => {
      begun += 1
    }
    const results = await Promise.allSettled([run(job), run(job), run(job)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(results[2]).toMatchObject({ reason: overloaded })
    expect(begun).toBe(2)
    await expect(run(job)).resolves.toBeUndefined()
  })

  it('refuses what finds too many under way, and counts down when they end, well or not', async () => {
    const limited = turns({ queued: 10, inFlight: 2 })
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = [limited.run(() => promise), limited.run(() => promise.then(() => Promise.reject(new Error('no'))))]
    expect(limited.inFlight).toBe(2)
    await expect(limited.run(async () => 1)).rejects.toEqual(overloaded)
    resolve()
    const results = await Promise.allSettled(waiting)
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(limited.inFlight).toBe(0)
    await expect(limited.run(async () => 1)).resolves.toBe(1)
  })
})
