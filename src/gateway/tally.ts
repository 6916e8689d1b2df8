import { Counter, type CounterConfiguration, type LabelValues } from 'prom-client'

/** What has been counted under one set of labels since somebody last asked. */
export interface Tally {
  more: number
}

/** A counter that is told of counts when it is asked for them: its own children look their labels up at each count. */
export interface TallyCounter<Label extends string> {
  /** The one for these labels, which `key` names; adding to its `more` counts. */
  tally(key: string, labels: LabelValues<Label>): Tally
}

export function tallyCounter<Label extends string>(settings: CounterConfiguration<Label>): TallyCounter<Label> {
  const tallies = new Map<string, Tally & { readonly labels: LabelValues<Label> }>()
  new Counter<Label>({
    ...settings,
    collect() {
      for (const tally of tallies.values()) {
        this.inc(tally.labels, tally.more)
        tally.more = 0
      }
    },
  })
  return {
    tally(key, labels) {
      const known = tallies.get(key)
      if (known !== undefined) return known
      const made = { labels, more: 0 }
      tallies.set(key, made)
      return made
    },
  }
}
