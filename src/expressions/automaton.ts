/** Characters by code point, as inclusive ranges. */
export type Ranges = readonly (readonly [number, number])[]

export type Assertion = 'start' | 'end' | 'boundary' | 'inside'

/** A pattern as a tree. */
export type Node =
  | { readonly kind: 'set'; readonly ranges: Ranges; readonly negated: boolean }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly branches: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number }

/** One state of the automaton; `next` and `other` are indexes of states. */
type State =
  | { readonly kind: 'set'; readonly ranges: Ranges; readonly negated: boolean; readonly next: number }
  | { readonly kind: 'assert'; readonly assertion: Assertion; readonly next: number }
  | { kind: 'fork'; next: number; other: number }
  | { readonly kind: 'accept' }

// Time is length of the text times states; a pattern for a claim has a few dozen.
export const MAX_STATES = 512

/** The pattern has more than {@link MAX_STATES} states. */
export class TooManyStates extends Error {}

/**
 * A matcher that looks for the pattern anywhere in a text.
 *
 * All states are followed at the same time (Thompson's construction), so the time is at most proportional to the length
 * of the text times the number of states, whatever the pattern: there is nothing to go back to.
 *
 * @throws {@link TooManyStates}
 */
export function automatonOf(tree: Node): (text: string) => boolean {
  const states: State[] = [{ kind: 'accept' }]
  const first = emit(tree, 0, states)
  return (text) => run(states, first, text)
}

/** Adds the states of `node` in front of state `next`; returns the first of them. */
function emit(node: Node, next: number, states: State[]): number {
  switch (node.kind) {
    case 'set':
    case 'assert':
      return add({ ...node, next }, states)
    case 'sequence':
      return node.items.reduceRight((following, item) => emit(item, following, states), next)
    case 'choice':
      return node.branches
        .map((branch) => emit(branch, next, states))
        .reduceRight((other, first) => add({ kind: 'fork', next: first, other }, states))
    case 'repeat': {
      let first = next
      if (node.max === Infinity) {
        const loop: State = { kind: 'fork', next: 0, other: next }
        first = add(loop, states)
        loop.next = emit(node.item, first, states)
      } else {
        for (let count = node.min; count < node.max; count++) {
          first = add({ kind: 'fork', next: emit(node.item, first, states), other: next }, states)
        }
      }
      for (let count = 0; count < node.min; count++) {
        const before = states.length
        first = emit(node.item, first, states)
        // An item without a state is the empty text, and so are a thousand of it.
        if (states.length === before) break
      }
      return first
    }
  }
}

function add(state: State, states: State[]): number {
  if (states.length >= MAX_STATES) throw new TooManyStates()
  return states.push(state) - 1
}

function run(states: readonly State[], first: number, text: string): boolean {
  let current: number[] = []
  let following: number[] = []
  // The step at which a state was last reached, so that none is followed twice in one step.
  const reached = new Int32Array(states.length).fill(-1)
  let step = 0
  let position = 0

  /** Follows everything that takes no character; `true` when the pattern is complete. */
  const reach = (from: number, into: number[]): boolean => {
    const open = [from]
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const state = states[index]
      if (state === undefined || reached[index] === step) continue
      reached[index] = step
      if (state.kind === 'accept') return true
      if (state.kind === 'set') into.push(index)
      else if (state.kind === 'fork') open.push(state.next, state.other)
      else if (holds(state.assertion, text, position)) open.push(state.next)
    }
    return false
  }

  for (;;) {
    // The pattern may begin at every position: it is sought, not anchored.
    if (reach(first, current)) return true
    if (position >= text.length) return false
    const character = text.codePointAt(position) ?? 0
    position += character > 0xffff ? 2 : 1
    step += 1
    following.length = 0
    for (const index of current) {
      const state = states[index]
      if (state?.kind === 'set' && contains(state.ranges, character) !== state.negated) {
        if (reach(state.next, following)) return true
      }
    }
    const spare = current
    current = following
    following = spare
  }
}

const contains = (ranges: Ranges, character: number): boolean =>
  ranges.some(([low, high]) => character >= low && character <= high)

function holds(assertion: Assertion, text: string, position: number): boolean {
  if (assertion === 'start') return position === 0
  if (assertion === 'end') return position === text.length
  const boundary = isWord(text, position - 1) !== isWord(text, position)
  return boundary === (assertion === 'boundary')
}

const isWord = (text: string, position: number): boolean => /\w/.test(text.charAt(position))
