import { readdir, stat } from 'node:fs/promises'

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

/**
 * Calls `changed` when any of the files is another than before, or a folder has other names in it, and has been so for
 * two looks: what is still being written is waited for. Looks at times, sizes and inodes, through symbolic links, which
 * is what a mounted ConfigMap changes. Does NOT read a file. Ends with `looks`.
 *
 * @param files asked for before each look, since a reload may have read others
 */
export function watchFiles(files: () => readonly string[], changed: () => Promise<void>, looks: Looks): Watch {
  let settled: State | undefined

  async function read(seen: State): Promise<void> {
    await changed()
    // Of a file that was looked at before it was read, what was seen then: it may have changed meanwhile.
    const after = await stateOf(files())
    settled = new Map([...after].map(([path, entry]) => [path, seen.get(path) ?? entry]))
  }

  async function watch(): Promise<void> {
    let before = await stateOf(files())
    settled ??= before
    while (await looks.next()) {
      const now = await stateOf(files())
      if (!same(now, settled) && same(now, before)) await read(now)
      before = now
    }
  }

  return { ended: watch(), now: async () => read(await stateOf(files())) }
}

type State = ReadonlyMap<string, string>

const same = (left: State, right: State): boolean =>
  left.size === right.size && [...left].every(([path, entry]) => right.get(path) === entry)

async function stateOf(paths: readonly string[]): Promise<State> {
  return new Map(await Promise.all(paths.map(async (path): Promise<[string, string]> => [path, await entryOf(path)])))
}

async function entryOf(path: string): Promise<string> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return (await readdir(path)).toSorted().join('\0')
    return `${found.ino} ${found.size} ${found.mtimeMs}`
  } catch {
    return 'none'
  }
}
