/** How one check came out. */
export interface Checked {
  /** `outside`: something that is not ours failed. */
  readonly state: 'ok' | 'warning' | 'wrong' | 'outside'
  /** What was looked at: `clock`, `port 127.0.0.1:8080`. */
  readonly what: string
  readonly says: string
  readonly remedy?: string
}

export const ok = (what: string, says: string): Checked => ({ state: 'ok', what, says })

export const not = (state: Exclude<Checked['state'], 'ok'>, what: string, says: string, remedy: string): Checked => ({
  ...{ state, what, says, remedy },
})
