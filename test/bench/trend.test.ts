import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trendOf } from '../../bench/trend.ts'

const line = (count: number, y: (x: number) => number) =>
  Array.from({ length: count }, (_, at) => [at / count, y(at / count)] as const)

describe('a trend', () => {
  it('is the slope of a line, without error', () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 0, max: 500 }), (slope, start) => {
        const trend = trendOf(line(200, (x) => start + slope * x))
        expect(trend.slope).toBeCloseTo(slope, 6)
        expect(trend.error).toBeCloseTo(0, 6)
      }),
    )
  })

  it('of what goes up and down is not told from none', () => {
    const { slope, error } = trendOf(line(1000, (x) => 100 + 10 * Math.sin(2 * Math.PI * 4.5 * x)))
    expect(Math.abs(slope)).toBeLessThan(2 * error)
  })

  it('has an error that long swings make large: samples that follow each other are no witnesses of their own', () => {
    const swing = trendOf(line(1000, (x) => Math.sin(2 * Math.PI * 2 * x)))
    const noise = trendOf(line(1000, (x) => Math.sin(2 * Math.PI * 250.3 * x)))
    expect(swing.error).toBeGreaterThan(10 * noise.error)
  })

  it('of the least of each piece sees a leak below a saw', () => {
    const saw = line(1000, (x) => 30 + 5 * x + 80 * ((x * 97) % 1))
    const { slope, error } = trendOf(saw, 'least')
    expect(Math.abs(slope - 5)).toBeLessThan(2 * error + 0.5)
    expect(error).toBeLessThan(trendOf(saw).error)
  })

  it('is none of fewer than three points', () => {
    expect(trendOf(line(2, (x) => x)).error).toSatisfy((error: number) => !Number.isFinite(error))
  })
})
