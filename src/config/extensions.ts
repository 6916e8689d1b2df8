import { statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { builtin } from '../catalog.ts'
import type { Extension } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import { hint } from '../profiles/nearest.ts'

/** What a value of each kind is called by. */
const NAMES = {
  codecs: 'format',
  stages: 'name',
  grants: 'type',
  clientMethods: 'name',
  proofMethods: 'name',
} as const satisfies { readonly [Kind in keyof Extension]-?: string }
/** This library, from its sources or as it was built. */
const LIBRARY = new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href

const KINDS = Object.keys(NAMES) as (keyof typeof NAMES)[]

/**
 * Loads modules, each of which exports an `extension`, and puts their lists together, in order. Their code runs in this
 * process, with all that it may do: only whoever starts it names them, never a configuration or a profile.
 *
 * Checks that each list has values of its kind by their name, and none that there is already. Does NOT check what they do.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX` for a file that there is not, `ERR_PROFILE_OPTION` for anything else
 */
export async function loadExtensions(files: readonly string[]): Promise<Extension> {
  const { expression: _, ...known } = builtin()
  const names = new Map(KINDS.map((kind) => [kind, new Set(known[kind].map((one) => Reflect.get(one, NAMES[kind])))]))
  const all: { [Kind in (typeof KINDS)[number]]: unknown[] } = {
    ...{ codecs: [], stages: [], grants: [], clientMethods: [], proofMethods: [] },
  }
  for (const file of files) {
    const extension = await loaded(file)
    for (const kind of KINDS) {
      for (const [index, value] of listIn(extension, kind, file).entries()) {
        const path = `extension.${kind}[${index}]`
        const name: unknown = Object(value)[NAMES[kind]]
        if (typeof name !== 'string' || name === '') throw wrong(file, path, `an object with a ${NAMES[kind]}`)
        const taken = names.get(kind)
        if (taken?.has(name)) throw wrong(file, path, `another ${NAMES[kind]} than ${name}, which there is already`)
        taken?.add(name)
        all[kind].push(value)
      }
    }
  }
  // Their names are what can be checked; what they do is theirs.
  return Object.fromEntries(Object.entries(all).filter(([, list]) => list.length > 0)) as Extension
}

async function loaded(file: string): Promise<object> {
  let module: object
  // A second copy of the library would throw errors that this one does not know as its own.
  const here = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'dragoman' ? { url: LIBRARY, shortCircuit: true } : next(specifier, context),
  })
  try {
    statSync(file)
    module = (await import(pathToFileURL(resolve(file)).href)) as object
  } catch (cause) {
    const absent = Object(cause).syscall === 'stat'
    const message = `${file}: expected a module that can be loaded: ${cause instanceof Error ? cause.message : 'it throws'}`
    const detail = { file, expected: 'a module that can be loaded' }
    throw new DragomanError(absent ? 'ERR_PROFILE_SYNTAX' : 'ERR_PROFILE_OPTION', { cause, detail, message })
  } finally {
    here.deregister()
  }
  const extension: unknown = Reflect.get(module, 'extension')
  if (typeof extension !== 'object' || extension === null)
    throw wrong(file, 'extension', 'an export of this name, an object')
  const unknown = Object.keys(extension).find((name) => !Object.hasOwn(NAMES, name))
  if (unknown !== undefined) throw wrong(file, `extension.${unknown}`, `no such list; ${hint(unknown, KINDS)}`)
  return extension
}

function listIn(extension: object, kind: string, file: string): readonly unknown[] {
  const list: unknown = Reflect.get(extension, kind) ?? []
  if (Array.isArray(list)) return list
  throw wrong(file, `extension.${kind}`, 'a list')
}

const wrong = (file: string, path: string, expected: string) =>
  new DragomanError('ERR_PROFILE_OPTION', {
    detail: { file, path, expected },
    message: `${file}: ${path}: expected ${expected}`,
  })
