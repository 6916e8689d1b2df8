import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allCommands } from '../../src/cli/run.ts'
import { command } from '../support/command.ts'

const commands = await allCommands()

const run = promisify(execFile)

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    writeFileSync(join(folder, shell), (await command(['completion', shell])).out)
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What bash offers behind these words; the last one is being typed. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const script = `source "$0"
COMP_WORDS=(dragoman "$@"); COMP_CWORD=$#
$(complete -p dragoman | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['--norc', '-c', script, join(folder, 'bash'), ...words])
  return stdout.split('\n').filter((word) => word !== '')
}

const installed = (shell: string): boolean => {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('in a real bash', () => {
  it('the first word is one of the commands', async () => {
    expect(await offered('')).toEqual([...commands.map(({ name }) => name), 'help', 'version'])
    expect(await offered('li')).toEqual(['lint'])
    expect(await offered('d')).toEqual(['dev', 'diff', 'doctor'])
  })

  it('a word that begins with a hyphen is an option of the command', async () => {
    expect(await offered('lint', '-')).toEqual(['--config', '--internal', '--extension', '--json', '--help'])
    expect(await offered('lint', '--config', 'a.yaml', '--j')).toEqual(['--json'])
    expect(await offered('nothing', '-')).toEqual([])
  })

  it.each(commands.map(({ name }) => name))('%s: each option of its help is offered', async (name) => {
    const { out } = await command([name, '--help'])
    const flags = [...out.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag)
    expect(await offered(name, '--')).toEqual([...flags, '--help'])
  })

  it('the word behind a command is one of its own, or else a file', async () => {
    expect(await offered('keys', '')).toEqual(['list', 'new'])
    expect(await offered('completion', 'z')).toEqual(['zsh'])
    expect(await offered('profile', '')).toEqual(['expand', 'loss', 'size'])
    expect(await offered('help', 'ex')).toEqual(['explain'])
    expect(await offered('keys', 'new', '')).toEqual([])
    expect(await offered('lint', '')).toEqual([])
  })

  it('completes a line that is typed', async () => {
    const { stdout } = await run('bash', ['--norc', '-c', `source "$0"; complete -p dragoman`, join(folder, 'bash')])
    expect(stdout).toBe('complete -o default -F _dragoman dragoman\n')
  })
})

describe('for other shells', () => {
  it.each(['zsh', 'fish'])('%s: names each command and each option', async (shell) => {
    const { out } = await command(['completion', shell])
    for (const { name, options } of commands) {
      expect(out).toContain(name)
      for (const [option] of options) {
        const [flag = ''] = option.split(' ')
        if (flag.startsWith('--')) expect(out).toContain(shell === 'fish' ? `-l ${flag.slice(2)}` : `${flag}[`)
      }
    }
  })

  it('zsh: what may be repeated is offered again', async () => {
    const { out } = await command(['completion', 'zsh'])
    expect(out).toContain("'*--audience[")
    expect(out).toContain("'--scope[")
  })

  it.skipIf(!installed('zsh'))('zsh takes the script', async () => {
    const script = 'autoload -U compinit; compinit -u -D; source $0; print $_comps[dragoman]'
    const { stdout, stderr } = await run('zsh', ['-f', '-c', script, join(folder, 'zsh')])
    expect(stderr).toBe('')
    expect(stdout).toBe('_dragoman\n')
  })

  it.skipIf(!installed('fish'))('fish takes the script, and offers the commands', async () => {
    const script = `source ${join(folder, 'fish')}; complete -C 'dragoman li'; complete -C 'dragoman keys n'`
    const { stdout, stderr } = await run('fish', ['--no-config', '-c', script])
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^lint\t/m)
    expect(stdout).toMatch(/^new/m)
  })
})
