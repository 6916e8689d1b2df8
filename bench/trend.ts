/** A straight line through points, by least squares. */
export interface Trend {
  readonly slope: number
  /** Standard error of the slope. */
  readonly error: number
}

// Samples that follow each other are alike, so that each is not a witness of its own: the means of so many pieces are.
const PIECES = 10

/** The trend of `[x, y]` in their order; its error is that of the means of ten pieces. `NaN` of fewer than three points. */
export function trendOf(points: readonly (readonly [number, number])[]): Trend {
  const pieces = Math.min(PIECES, points.length)
  const means = Array.from({ length: pieces }, (_, at) => {
    const from = Math.floor((at * points.length) / pieces)
    return meanOf(points.slice(from, Math.floor(((at + 1) * points.length) / pieces)))
  })
  const [x, y] = meanOf(means)
  const spread = sum(means.map(([one]) => (one - x) ** 2))
  const slope = sum(means.map(([one, other]) => (one - x) * (other - y))) / spread
  const left = sum(means.map(([one, other]) => (other - y - slope * (one - x)) ** 2))
  return { slope, error: Math.sqrt(left / (pieces - 2) / spread) }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const meanOf = (points: readonly (readonly [number, number])[]): readonly [number, number] => [
  sum(points.map(([x]) => x)) / points.length,
  sum(points.map(([, y]) => y)) / points.length,
]
