import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What a watcher is told by: when it looks again, and that it is to end. Tests have their own. */
export interface Looks {
  /** Resolves when it is time to look again; `false`: never again. */
  next(): Promise<boolean>
}

/** How often files are looked at, in milliseconds: a change is in force two looks later. */
const INTERVAL = 1000

/** Looks once a second, until it is ended. Keeps no process alive. */
export function everySecond(): Looks & { end(): void } {
  let ended = false
  let wake = () => {}
  return {
    next: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(!ended), INTERVAL)
        timer.unref()
        wake = () => {
          clearTimeout(timer)
          resolve(false)
        }
        if (ended) wake()
      }),
    end() {
      ended = true
      wake()
    },
  }
}

/** Files that are watched. */
export interface Watch {
  /** Calls `changed` at once, because somebody says so: what it reads is not news any more. */
  now(): Promise<void>
  /** Resolves when the looks have ended. */
  readonly ended: Promise<void>
}

// Paths that are looked at in one second, and at once: a look at ten thousand costs a sixth of a second of the processor.
const SHARE = 256

/**
 * Calls `changed` when any of the files is another than before, or a folder has other names in it, and has been so for
 * two looks: what is still being written is waited for. Looks at times, sizes and inodes, through symbolic links, which
 * is what a mounted ConfigMap changes. Does NOT read a file. Ends with `looks`.
 *
 * Of more than 256 files it looks at the folders each time, where whatever is replaced, added or removed shows, and at 256
 * of the files in turn: one of ten thousand that is written in place is noticed within forty looks.
 *
 * @param files asked for before each look, since a reload may have read others
 * @param began when they were first read; absent: nobody has changed them since
 * @param clock milliseconds, as the file system has them
 */
export function watchFiles(
  files: () => readonly string[],
  changed: () => Promise<void>,
  looks: Looks,
  { began, clock = Date.now }: { readonly began?: number | undefined; readonly clock?: () => number } = {},
): Watch {
  let settled: State | undefined
  let folders: State = new Map()
  /** Where the next share begins. */
  let next = 0

  async function read(seen: State): Promise<void> {
    const start = clock()
    await changed()
    settled = await asRead(start, seen)
  }

  /** What there was when they were read, from `start` on; `seen`: what they were before. */
  async function asRead(start: number, seen: State): Promise<State> {
    const after = await stateOf(files())
    // One that was looked at before is what was seen then; one that was not, and has changed since, is read once more.
    const unsure = await changedSince(
      start,
      [...after.keys()].filter((path) => !seen.has(path)),
    )
    return new Map([...after].map(([path, entry]) => [path, seen.get(path) ?? (unsure.has(path) ? UNREAD : entry)]))
  }

  /** What is there now: of many files, as far as a part of them tells. */
  async function look(before: State): Promise<State> {
    const paths = files()
    if (paths.length <= SHARE) return stateOf(paths)
    const was = folders
    folders = await foldersOf(paths)
    // Whether what has changed stays as it is, all of them have to tell.
    if (before !== settled || paths.length !== before.size || !same(folders, was)) return stateOf(paths)
    const share = paths.slice(next, next + SHARE)
    next = next + SHARE < paths.length ? next + SHARE : 0
    const some = await stateOf(share)
    return share.every((path) => some.get(path) === before.get(path)) ? before : stateOf(paths)
  }

  async function watch(): Promise<void> {
    folders = await foldersOf(files())
    let before = await stateOf(files())
    settled ??= began === undefined ? before : await asRead(began, new Map())
    while (await looks.next()) {
      const now = await look(before)
      if (!same(now, settled) && same(now, before)) await read(now)
      before = same(now, settled) ? settled : now
    }
  }

  return { ended: watch(), now: async () => read(await stateOf(files())) }
}

type State = ReadonlyMap<string, string>

const same = (left: State, right: State): boolean =>
  left === right || (left.size === right.size && [...left].every(([path, entry]) => right.get(path) === entry))

/** The folders that they are in, without what is in these. */
const foldersOf = (paths: readonly string[]): Promise<State> => stateOf([...new Set(paths.map(dirname))], timesOf)

async function stateOf(paths: readonly string[], look: (path: string) => Promise<string> = entryOf): Promise<State> {
  const state = new Map<string, string>()
  for (let from = 0; from < paths.length; from += SHARE) {
    const some = paths.slice(from, from + SHARE)
    const entries = await Promise.all(some.map(look))
    for (const [index, entry] of entries.entries()) state.set(some[index] ?? '', entry)
  }
  return state
}

async function timesOf(path: string): Promise<string> {
  try {
    return times(await stat(path))
  } catch {
    return 'none'
  }
}

// Milliseconds for which the clock of a file system may stand still.
const TICK = 10

// What no entry is: names in a folder are joined by it.
const UNREAD = '\0'

/** Those that have changed since then, whatever time they claim. */
async function changedSince(start: number, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const times = await stateOf(paths, async (path) => {
    const found = await stat(path).catch(() => undefined)
    return found !== undefined && found.ctimeMs >= start - TICK ? UNREAD : ''
  })
  return new Set(paths.filter((path) => times.get(path) === UNREAD))
}

const times = ({ ino, size, mtimeMs }: Stats): string => `${ino} ${size} ${mtimeMs}`

async function entryOf(path: string): Promise<string> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return (await readdir(path)).toSorted().join('\0')
    return times(found)
  } catch {
    return 'none'
  }
}
