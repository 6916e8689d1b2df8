/** A straight line through points, by least squares. */
export interface Trend {
  readonly slope: number
  /** Standard error of the slope. */
  readonly error: number
}

// Samples that follow each other are alike, so that each is not a witness of its own: the means of so many pieces are.
const PIECES = 10

type Point = readonly [number, number]

/**
 * The trend of `[x, y]` in their order; its error is that of ten pieces. `of` says what stands for a piece: its mean, or its
 * least value, which of a heap is what was left after a collection. No number of fewer than three points.
 */
export function trendOf(points: readonly Point[], of: 'mean' | 'least' = 'mean'): Trend {
  const pieces = Math.min(PIECES, points.length)
  const means = Array.from({ length: pieces }, (_, at) => {
    const from = Math.floor((at * points.length) / pieces)
    return STANDS[of](points.slice(from, Math.floor(((at + 1) * points.length) / pieces)))
  })
  const [x, y] = meanOf(means)
  const spread = sum(means.map(([one]) => (one - x) ** 2))
  const slope = sum(means.map(([one, other]) => (one - x) * (other - y))) / spread
  const left = sum(means.map(([one, other]) => (other - y - slope * (one - x)) ** 2))
  return { slope, error: Math.sqrt(left / (pieces - 2) / spread) }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const STANDS = {
  mean: (points: readonly Point[]) => meanOf(points),
  least: (points: readonly Point[]): Point => [meanOf(points)[0], Math.min(...points.map(([, y]) => y))],
}

const meanOf = (points: readonly Point[]): Point => [
  sum(points.map(([x]) => x)) / points.length,
  sum(points.map(([, y]) => y)) / points.length,
]
