import { describe, expect, it } from 'vitest'
import { atOnce, inSlices, newPace, type Steps } from '../../src/core/slices.ts'

function* counting(steps: number, seen: (step: number) => void = () => {}): Steps<string> {
  for (let step = 0; step < steps; step += 1) {
    seen(step)
    yield
  }
  return `${steps} steps`
}

function* failing(): Steps<never> {
  yield
  throw new RangeError('the second step')
}

describe('work in steps', () => {
  it('comes to the same at once and in slices', async () => {
    expect(atOnce(counting(5))).toBe('5 steps')
    expect(await inSlices(counting(5), newPace({ slice: 0 }))).toBe('5 steps')
  })

  it('throws what a step throws', async () => {
    expect(() => atOnce(failing())).toThrow(RangeError)
    await expect(inSlices(failing(), newPace({ slice: 0 }))).rejects.toThrow(RangeError)
  })

  it('lets other work in between, once it has had its time of a turn', async () => {
    let time = 0
    const order: string[] = []
    const done = inSlices(
      counting(6, (step) => {
        time += 1
        order.push(`step ${step}`)
      }),
      newPace({ slice: 2, now: () => time }),
    )
    const other = () => {
      order.push('other')
      if (order.length < 9) setImmediate(other)
    }
    setImmediate(other)
    await done
    expect(order.slice(0, 8)).toEqual(['step 0', 'step 1', 'other', 'step 2', 'step 3', 'other', 'step 4', 'step 5'])
  })

  it('goes on in the same turn while its time lasts', async () => {
    let turned = false
    setImmediate(() => {
      turned = true
    })
    await inSlices(counting(100), newPace({ slice: 1, now: () => 0 }))
    expect(turned).toBe(false)
  })
})
