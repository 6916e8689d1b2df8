import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Command, exit, UsageError } from '../io.ts'
import { read } from './read.ts'

/** `dragoman inspect`: any known token in readable form. Verifies nothing, and says so. */
export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'reads a token (JWT, X.509, CSR, CWT, or the answer of a token endpoint) into readable form',
  usage: '[file]',
  example: 'dragoman inspect < token.jwt',
  options: [['file', 'the token; standard input when absent']],
  async run(args, io) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true, strict: true, options: {} })
    const [file] = positionals
    const text = file === undefined ? await io.input() : readFileSync(file, 'latin1')
    if (text.trim() === '') throw new UsageError('a token is expected, on standard input or in a file')
    const { lines, known } = read(text, Math.floor(Date.now() / 1000))
    io.out(`${lines.join('\n')}\n`)
    return known ? exit.done : exit.refused
  },
}
