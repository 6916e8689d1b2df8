import { DragomanError } from '../core/errors.ts'
import { problemsOf } from '../profiles/problem.ts'
import type { Source } from '../profiles/source.ts'
import type { Finding, Rule, Surroundings } from './finding.ts'
import { type AnalysisTools, analysisTools, type Reading, readForAnalysis } from './reading.ts'
import { allRules, lintRules, ownRules } from './rules/index.ts'
import { type Silencing, silencingsIn } from './silence.ts'

/** What `lint` has to say. */
export interface LintResult {
  readonly findings: readonly Finding[]
  readonly silenced: readonly (Finding & { readonly reason: string })[]
}

/**
 * Looks for privilege in a configuration, a profile or a folder of profiles that can be loaded: for what is legal and gives
 * more than seems to be meant. What cannot be loaded is a finding of its own, at its place.
 *
 * Does NOT look into tokens, key sets and keys, and fetches nothing.
 *
 * @throws {@link DragomanError} for a file that cannot be read at all
 */
export async function lint(places: readonly string[], surroundings: Surroundings): Promise<LintResult> {
  const results: LintResult[] = []
  const tools = analysisTools(surroundings.more)
  for (const place of places) results.push(await lintOne(place, surroundings, tools))
  return {
    findings: results.flatMap(({ findings }) => findings),
    silenced: results.flatMap(({ silenced }) => silenced),
  }
}

async function lintOne(place: string, surroundings: Surroundings, tools: AnalysisTools): Promise<LintResult> {
  try {
    return judged(await readForAnalysis(place, tools), surroundings)
  } catch (error) {
    const problems = error instanceof DragomanError ? problemsOf(error) : undefined
    if (problems === undefined) throw error
    return { findings: problems.map(loadFinding), silenced: [] }
  }
}

function judged(reading: Reading, surroundings: Surroundings): LintResult {
  const sources = new Map<string, Source>()
  for (const source of [reading.source, ...reading.tenants.flatMap(({ profiles }) => profiles.map((p) => p.source))]) {
    if (source !== undefined) sources.set(source.file, source)
  }
  // Tenants may share a file of profiles: what is found there is found once.
  const found = new Map<string, Finding>()
  for (const rule of lintRules) {
    for (const { source, path, atName = false, character, says } of rule.look(reading, surroundings)) {
      const placed = source.place({ path, atName, message: says, ...(character !== undefined && { character }) })
      const { file, line, column, path: at, excerpt } = placed
      found.set(`${rule.name} ${file}:${line}:${column} ${says}`, { rule, file, line, column, path: at, says, excerpt })
    }
  }
  const silencings = [...sources.values()].flatMap((source) =>
    silencingsIn(source.text).map((silencing) => ({ ...silencing, source, used: false })),
  )
  const findings: Finding[] = []
  const silenced: (Finding & { reason: string })[] = []
  for (const finding of found.values()) {
    const own = silencings.filter(
      ({ rule, on, source }) =>
        source.file === finding.file && on === finding.line && [finding.rule.name, finding.rule.id].includes(rule),
    )
    for (const silencing of own) silencing.used = true
    const reason = own.find((one) => one.reason !== '')?.reason
    if (reason === undefined) findings.push(finding)
    else silenced.push({ ...finding, reason })
  }
  findings.push(...silencings.flatMap(({ source, used, ...silencing }) => silencingFaults(silencing, used, source)))
  return { findings: inOrder(findings, [...sources.keys()]), silenced: inOrder(silenced, [...sources.keys()]) }
}

const inOrder = <T extends Finding>(findings: readonly T[], files: readonly string[]): readonly T[] =>
  findings.toSorted(
    (left, right) =>
      files.indexOf(left.file) - files.indexOf(right.file) ||
      left.line - right.line ||
      left.column - right.column ||
      left.rule.id.localeCompare(right.rule.id),
  )

function silencingFaults(silencing: Silencing, used: boolean, source: Source): readonly Finding[] {
  const { rule, reason, line, column } = silencing
  const told = (own: Rule, says: string): Finding => ({
    rule: own,
    file: source.file,
    line,
    column,
    path: '',
    says,
    excerpt: '',
  })
  const known = allRules.some(({ id, name }) => rule === name || rule === id)
  if (!known) return [told(ownRules.silencingUnknown, rule === '' ? 'no rule is named' : `there is no rule ${rule}`)]
  if (reason === '') return [told(ownRules.silencingWithoutReason, `why ${rule} is silenced is not said`)]
  return used ? [] : [told(ownRules.unusedSilencing, `there is no finding of ${rule} here`)]
}

/** A problem as {@link describeProblem} writes it. */
function loadFinding(problem: string): Finding {
  const [head = '', ...excerpt] = problem.split('\n')
  const [, file = '', line = '1', column = '1', says = head] = /^(.*?):(\d+):(\d+): (.*)$/.exec(head) ?? []
  return {
    rule: ownRules.cannotLoad,
    file,
    line: Number(line),
    column: Number(column),
    path: '',
    says,
    excerpt: excerpt.join('\n'),
  }
}
