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

  it('runs the jobs of one request like single ones, and keeps what each came to', async () => {
    const { runAll } = turns()
    const jobs = Array.from({ length: 100 }, (_, at) => async () => {
      if (at % 2 === 1) throw new Error(`${at}`)
      return at
    })
    const results = await runAll(jobs)
    expect(results.map(({ status }) => status)).toEqual(
      Array.from({ length: 100 }, (_, at) => (at % 2 === 1 ? 'rejected' : 'fulfilled')),
    )
  })

  it('counts each of them in the bound of its lane too, and leaves room in others', async () => {
    const all = turns({ queued: 10, inFlight: 10 })
    const [narrow, other] = [all.lane(2), all.lane(2)]
    const job = async () => 1
    await expect(narrow.runAll([job, job, job])).rejects.toEqual(overloaded)
    const both = narrow.runAll([job, job])
    expect([narrow.full, narrow.inFlight, all.inFlight, other.full]).toEqual([true, 2, 2, false])
    await expect(narrow.run(job)).rejects.toEqual(overloaded)
    await expect(other.runAll([job, job])).resolves.toHaveLength(2)
    await both
    expect([narrow.full, narrow.inFlight, all.inFlight]).toEqual([false, 0, 0])
  })

  it('counts each of them, refuses them whole where there is no room, and begins none', async () => {
    const { run, runAll } = turns({ queued: 10, inFlight: 3 })
    let begun = 0
    const job = async () => {
      begun += 1
    }
    const single = run(job)
    await expect(runAll([job, job, job])).rejects.toEqual(overloaded)
    const both = runAll([job, job])
    await expect(run(job)).rejects.toEqual(overloaded)
    await Promise.all([single, both])
    expect(begun).toBe(3)
    await expect(runAll([job, job, job])).resolves.toHaveLength(3)
  })

  it('lets single ones go first, and batches have some of each turn', async () => {
    const { run, runAll } = turns()
    const order: string[] = []
    const job = (name: string) => async () => void order.push(name)
    const batch = runAll(Array.from({ length: 64 }, () => job('batch')))
    const singles = Array.from({ length: 64 }, () => run(job('single')))
    await Promise.all([batch, ...singles])
    const first = order.slice(0, 32)
    expect(first.slice(0, 24)).toEqual(Array.from({ length: 24 }, () => 'single'))
    expect(first.slice(24)).toEqual(Array.from({ length: 8 }, () => 'batch'))
  })
})
