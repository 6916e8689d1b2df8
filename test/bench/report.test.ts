import { describe, expect, it } from 'vitest'
import { kept, type Row } from '../../bench/report.ts'

const rows = (...foreign: number[]): readonly Row[] =>
  foreign.map((one, at) => ({ pairs: at, unit: 1, rate: 1, answered: 1, foreign: one }))

describe('bursts that count', () => {
  it('are those in which others had little of the processor', () => {
    expect(kept(rows(0.5, 0, 0.1, 0.02, 0.15)).map(({ pairs }) => pairs)).toEqual([1, 3, 2, 4])
  })

  it('are the three least disturbed where all were', () => {
    expect(kept(rows(0.9, 0.4, 0.5, 0.3, 0.8)).map(({ pairs }) => pairs)).toEqual([3, 1, 2])
  })
})
