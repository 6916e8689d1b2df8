import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Steps } from '../core/slices.ts'

/** Where the configuration is read, its profiles, and the files that they name. Paths are absolute, or as given at start. */
export interface Files {
  /** @throws what the operating system says when it cannot be read */
  read(path: string): Buffer
  /** The names in a folder, sorted; `undefined`: there is no folder of this name. */
  list(path: string): readonly string[] | undefined
}

/** What was read of the disk at one time, to be read again as it was. */
export interface Snapshot {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly folders: ReadonlyMap<string, readonly string[] | undefined>
}

export const onDisk: Files = {
  read: (path) => readFileSync(path),
  list: (path) =>
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(path).sort() : undefined,
}

/**
 * The files of the disk, each read once: whoever reads it again, here or from the snapshot, has the same bytes, whatever
 * has become of the file meanwhile.
 */
export function recorded(files: Files = onDisk): Files & { readonly snapshot: Snapshot } {
  const known = new Map<string, Uint8Array>()
  const folders = new Map<string, readonly string[] | undefined>()
  return {
    snapshot: { files: known, folders },
    read(path) {
      // In memory of its own: small buffers share theirs with whatever else was read, and go to other threads whole.
      const bytes = known.get(path) ?? Uint8Array.from(files.read(path))
      known.set(path, bytes)
      return Buffer.from(bytes)
    },
    list(path) {
      if (!folders.has(path)) folders.set(path, files.list(path))
      return folders.get(path)
    },
  }
}

/** The same files, with the paths of all that is read put into `seen`, whatever comes of it. */
export const noting = (files: Files, seen: Set<string>): Files => ({
  read(path) {
    seen.add(path)
    return files.read(path)
  },
  list(path) {
    seen.add(path)
    return files.list(path)
  },
})

/** The same files, and whether any of them, or a folder, is another than when it was first read. */
export function marked(files: Files): Files & { changed(): Steps<string | undefined> } {
  const marks = new Map<string, string>()
  const first = (path: string): void => {
    if (!marks.has(path)) marks.set(path, markOf(path))
  }
  return {
    read(path) {
      first(path)
      return files.read(path)
    },
    list(path) {
      first(path)
      return files.list(path)
    },
    *changed() {
      for (const [path, mark] of marks) {
        if (markOf(path) !== mark) return path
        yield
      }
      return undefined
    },
  }
}

function markOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? 'absent' : [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ')
}

/** The files of a snapshot. What is not in it cannot be read. */
export const filesOf = ({ files, folders }: Snapshot): Files => ({
  read(path) {
    const bytes = files.get(path)
    if (bytes === undefined) throw new Error('not in the snapshot')
    return Buffer.from(bytes)
  },
  list: (path) => folders.get(path),
})
