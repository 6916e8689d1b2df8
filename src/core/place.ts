/** Where something stands in a file. */
export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number
  /** What stands there, such as `accept.subject.audience`. */
  readonly path: string
}

/** The file that something was read from, and where its parts stand in it. */
export interface Origin {
  readonly file: string
  /** Where the member at this path stands; of one that is not there, the nearest above it. */
  place(path: string): Place
}

/** `profiles/orders.yaml:7:13`, as terminals and editors follow it. */
export const placeText = ({ file, line, column }: Place): string => `${file}:${line}:${column}`
