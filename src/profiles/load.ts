import { createHash } from 'node:crypto'
import type { Catalog } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { Origin } from '../core/place.ts'
import type { Acceptance, Profile, ProfileSet, TokenAcceptance } from '../core/profile.ts'
import { atOnce, type Steps } from '../core/slices.ts'
import type { Setting } from '../core/stage.ts'
import { freeze } from '../core/value.ts'
import { acceptanceDefaults, acceptanceOf } from './accept.ts'
import { checkActor } from './actor.ts'
import { type Check, checkFor } from './check.ts'
import { dangersIn } from './dangers.ts'
import { entriesOf, type ProfileDocument, type ProfileEnvironment } from './document.ts'
import { checkOrder } from './order.ts'
import { mergedError, problemsOf } from './problem.ts'
import { type Report, reportOn } from './report.ts'
import { MAX_LIFETIME_DEFAULT, profileSchema } from './schema.ts'
import { clashesIn, settingOf } from './set.ts'
import { MAX_PROBLEMS, readSource, type Source, type SourceFile } from './source.ts'
import { stepsOf } from './steps.ts'
import { checkOneSubject, checkTransactionToken, transactionsOf } from './transactions.ts'
import { checkKeySource, writtenBy } from './writer.ts'

export type { ProfileEnvironment } from './document.ts'

/** The check of profiles for one catalog; takes some 30 milliseconds to make. */
export const profileCheck = (catalog: Catalog): Check => checkFor(profileSchema(catalog))

/**
 * Loads the profiles of one tenant: each read once, checked whole, prepared and frozen.
 *
 * Checks beyond each of them that names are unique, and that no two would both serve one request.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, `_SCHEMA`, `_OPTION`, `_ORDER` or `_RENDERING`; `detail.problems`
 * says of each problem, in all the files, file, line, column, path and what would be right
 */
export const loadProfiles = (files: readonly SourceFile[], environment: ProfileEnvironment): ProfileSet =>
  atOnce(loadingProfiles(files, environment))

/** {@link loadProfiles} in steps, a file each: there may be thousands. */
export function* loadingProfiles(files: readonly SourceFile[], environment: ProfileEnvironment): Steps<ProfileSet> {
  const schema = profileSchema(environment.catalog)
  const loaded = yield* each(files, (file) => ({ profile: loadProfile(file, environment, schema), file }))
  const clashes = yield* clashesIn(loaded)
  yield* each(
    Map.groupBy(clashes, ({ file }) => file),
    ([file, own]) => {
      // Read again, which it passed before: to keep each document until all are known to fit took most of the memory.
      throw readSource(file).refuse(own.map(({ problem }) => problem))
    },
  )
  return yield* settingOf(loaded.map(({ profile }) => profile))
}

function loadProfile(file: SourceFile, environment: ProfileEnvironment, schema: object): Profile {
  const source = readSource(file)
  const report = reportOn(source)
  for (const problem of environment.check(source.value)) report.add(problem)
  report.settle()
  return prepare(source, environment, schema, report)
}

function prepare(source: Source, environment: ProfileEnvironment, schema: object, report: Report): Profile {
  // The schema has passed it.
  const document = source.value as ProfileDocument
  const digest = createHash('sha256').update(source.text)
  const defaults = acceptanceDefaults(environment)
  const entries = entriesOf(document, environment.catalog.stages, report)
  checkOrder(entries, report)
  const accepts = acceptanceOf(document, environment, defaults, report)
  checkActor(document.accept.actor, entries, report)
  const rows = document.transactions
  const transactions = rows && accepts && transactionsOf(rows, accepts, environment, report)
  if (accepts) checkOneSubject(accepts, rows, entries, report)
  const dangers = dangersIn(document, schema, report)
  const setting: Setting = {
    profile: document.name,
    issuer: environment.issuer,
    proofMethods: environment.catalog.proofMethods.map(({ name }) => name),
    acceptance: defaults,
    readFile(name) {
      const text = readBeside(source.file, name, environment)
      digest.update(`\0${name}\0`).update(text)
      return text
    },
    secret: environment.secret,
    expression: environment.catalog.expression,
  }
  const { steps, rendering } = stepsOf(entries, setting, report)
  // What is to be written is known only when every stage has had its say.
  report.settle()
  const written = writtenBy(rendering, entries, environment, report)
  if (written && accepts) {
    checkKeySource(written, accepts, entries, report)
    checkTransactionToken(written, rows, entries.find(({ stage }) => stage.name === 'format')?.path ?? [], report)
  }
  report.settle()
  if (written === undefined || accepts === undefined) throw new TypeError('a problem is reported')
  return Object.freeze({
    name: document.name,
    description: document.description,
    digest: digest.digest('hex'),
    accepts: frozenAcceptance(accepts),
    steps: Object.freeze(steps.map((step) => Object.freeze(step))),
    rendering: Object.freeze({
      ...written.rendering,
      options: freeze(written.rendering.options),
      header: freeze(written.rendering.header),
    }),
    writer: written.writer,
    key: written.key,
    dangers,
    mustKeep: Object.freeze([...(document.must_keep ?? [])]),
    maxLifetime: document.max_lifetime ?? MAX_LIFETIME_DEFAULT,
    transactions,
    auditSubject: document.audit?.subject ?? 'hashed',
    origin: originLater(source),
  })
}

/**
 * Where the parts of a profile stand, read again from its text when somebody asks: of thousands nobody asks but of the few
 * whose exchanges are explained.
 */
function originLater({ file, text }: SourceFile): Origin {
  let origin: Origin | undefined
  return Object.freeze({
    file,
    place(path: string) {
      origin ??= readSource({ file, text }).origin()
      return origin.place(path)
    },
  })
}

function readBeside(profile: string, name: string, environment: ProfileEnvironment): string {
  try {
    return environment.readFile(profile, name)
  } catch (cause) {
    if (cause instanceof DragomanError) throw cause
    throw new DragomanError('ERR_PROFILE_OPTION', {
      detail: { file: name, expected: 'a file that can be read' },
      cause,
    })
  }
}

/** Unchangeable, all the way down but for the maps, which have no setter in their type. */
function frozenAcceptance({ subject, actor, targets, ...rest }: Acceptance): Acceptance {
  return Object.freeze({
    ...rest,
    clients: Object.freeze([...rest.clients]),
    subject: frozenToken(subject),
    actor: actor && frozenToken(actor),
    targets: Object.freeze({ ...targets, fallback: Object.freeze([...targets.fallback]) }),
  })
}

function frozenToken(acceptance: TokenAcceptance): TokenAcceptance {
  const copies = Object.entries(acceptance).map(([name, value]) => [
    name,
    Array.isArray(value) ? Object.freeze([...value]) : value,
  ])
  return Object.freeze(Object.fromEntries(copies) as unknown as TokenAcceptance)
}

/** Does the same with each, and throws everything that was refused on the way as one error. */
function* each<T, R>(values: Iterable<T>, work: (value: T) => R): Steps<readonly R[]> {
  const results: R[] = []
  const [errors, told]: [DragomanError[], string[]] = [[], []]
  for (const value of values) {
    if (told.length >= MAX_PROBLEMS) break
    try {
      results.push(work(value))
    } catch (error) {
      if (!(error instanceof DragomanError)) throw error
      errors.push(error)
      told.push(...(problemsOf(error) ?? [error.message]))
    }
    yield
  }
  const [first, ...more] = errors
  if (first !== undefined) throw mergedError([first, ...more])
  return results
}
