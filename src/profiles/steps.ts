import type { Step } from '../core/profile.ts'
import type { Expression, Setting } from '../core/stage.ts'
import type { Rendering } from '../core/token.ts'
import { map } from '../core/value.ts'
import type { Entry } from './document.ts'
import { type Path, pathText } from './problem.ts'
import type { Report } from './report.ts'

/** Nothing said of how the token is written. */
const PLAIN: Rendering = {
  format: '',
  kind: undefined,
  options: map(),
  key: undefined,
  algorithm: undefined,
  header: map(),
  kid: true,
  tokenType: undefined,
}

/** The stages, prepared, and what the writing ones make of the rendering. Reports what a stage refuses. */
export function stepsOf(
  entries: readonly Entry[],
  setting: Setting,
  report: Report,
): { readonly steps: readonly Step[]; readonly rendering: Rendering } {
  let rendering = PLAIN
  const steps = entries.map(({ stage, options, when, path }): Step => {
    const prepared = report.attempt(path, () => stage.prepare(options as never, setting))
    if (prepared?.render) rendering = prepared.render(rendering)
    const transform = prepared?.transform
    const condition = when === undefined ? undefined : conditionAt([...path.slice(0, 2), 'when'], when, setting, report)
    if (prepared && when !== undefined && transform === undefined && stage.phase === 'meaning') {
      report.add({ path, message: 'takes no `when`: it does nothing in an exchange', code: 'ERR_PROFILE_ORDER' })
    }
    const { scopes, clients } = prepared ?? {}
    return { stage: stage.name, path: pathText(path), transform, when: condition, scopes, clients }
  })
  return { steps, rendering }
}

/** A stage runs when its `when` is true; one that can be neither true nor false would be passed over in silence. */
function conditionAt(path: Path, source: string, setting: Setting, report: Report): Expression | undefined {
  const expression = report.attempt(path, () => setting.expression(source))
  const { type } = expression ?? {}
  if (type !== undefined && type !== 'bool' && type !== 'dyn') {
    const message = `expected an expression that is true or false, not ${type}`
    report.add({ path, message, code: 'ERR_PROFILE_OPTION' })
  }
  return expression
}
