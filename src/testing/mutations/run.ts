import { DragomanError } from '../../core/errors.ts'
import { profileSchema } from '../../profiles/schema.ts'
import { placeIn } from '../places.ts'
import { runCase } from '../run.ts'
import type { Stand } from '../stand.ts'
import { twinsOf } from '../twins/index.ts'
import { type Mutation, mutationsOf } from './mutations.ts'

/** What became of the mutations of one profile. */
export interface MutationResult {
  /** How many could be loaded: the others no gateway would start with. */
  readonly tried: number
  /** Names of those that a case or a twin noticed. */
  readonly noticed: readonly string[]
  /** Those that nothing noticed, with their place in the profile, the line and a caret. */
  readonly survived: readonly { readonly name: string; readonly place: string }[]
  /** Those that nothing noticed, and that the test says nothing could. */
  readonly equivalent: readonly string[]
  /** Names under `equivalent` of mutations that there are not, or that are noticed after all. */
  readonly stale: readonly string[]
}

export const mutationsPassed = ({ survived, stale }: MutationResult): boolean =>
  survived.length === 0 && stale.length === 0

/**
 * Changes one thing in the profile at a time, and runs its test on each: whether it would notice. The test is held to what
 * the profile promises as it is written, so that a check which is gone is missed.
 */
export async function runMutations(stand: Stand): Promise<MutationResult> {
  const { equivalent = {} } = stand.test.document
  const noticed: string[] = []
  const unnoticed: Mutation[] = []
  const mutations = mutationsOf(stand.document, profileSchema(stand.workshop.catalog))
  for (const mutation of mutations) {
    const mutant = await loaded(mutation, stand)
    if (mutant === undefined) continue
    if (await isNoticed(mutant)) noticed.push(mutation.name)
    else unnoticed.push(mutation)
  }
  const told = new Set(Object.keys(equivalent))
  const survived = unnoticed.filter(({ name }) => !told.has(name))
  const excused = unnoticed.map(({ name }) => name).filter((name) => told.has(name))
  return {
    tried: noticed.length + unnoticed.length,
    noticed,
    survived: survived.map(({ name, path }) => ({ name, place: placeIn(stand.source, path, 'not noticed') })),
    equivalent: excused,
    stale: [...told].filter((name) => noticed.includes(name) || !mutations.some((one) => one.name === name)),
  }
}

async function loaded({ text }: Mutation, stand: Stand): Promise<Stand | undefined> {
  try {
    return await stand.running(text)
  } catch (error) {
    if (error instanceof DragomanError) return undefined
    throw error
  }
}

/** Whether any case or twin goes otherwise than it should. Stops at the first. */
async function isNoticed(mutant: Stand): Promise<boolean> {
  const issued: Parameters<typeof twinsOf>[] = []
  for (const [index, written] of mutant.test.document.cases.entries()) {
    // Which stage refuses is not what a profile promises, and its number changes with the stages before it.
    const { at: _, ...expect } = written.expect
    const one = { ...written, expect }
    const { differences, given } = await runCase(index, one, mutant)
    if (differences.length > 0) return true
    if (given !== undefined) issued.push([one, given.ask, given.issue, mutant])
  }
  for (const seed of issued) {
    for await (const { difference } of twinsOf(...seed)) if (difference !== undefined) return true
  }
  return false
}
