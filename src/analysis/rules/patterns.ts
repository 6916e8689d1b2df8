import { type ExpressionFacts, expressionFacts } from '../../expressions/facts.ts'
import type { Hit, LintRule } from '../finding.ts'
import type { Reading } from '../reading.ts'
import { expressionsIn, profilesIn } from '../roles.ts'

/** Rules about the patterns of `matches`. */
export const patternRules: readonly LintRule[] = [
  {
    id: 'LINT-501',
    name: 'unanchored-pattern',
    finds: 'A pattern is looked for anywhere in a text, or one of its alternatives is.',
    why: '`matches` is true when the pattern is found somewhere: `admin` is in `not-an-admin@elsewhere.example`. In `^a|b` the `^` belongs to `a` alone.',
    cure: 'Write `^(?:...)$` around all of it; or use `startsWith`, `endsWith`, `==`.',
    look: (reading) =>
      patternsIn(reading, ({ start, end }) =>
        start && end
          ? undefined
          : `found anywhere: no ${[...(start ? [] : ['^']), ...(end ? [] : ['$'])].join(' and ')}`,
      ),
  },
  {
    id: 'LINT-502',
    name: 'unescaped-dot',
    finds: 'A dot in a pattern stands between letters, as in a host name, and means any character.',
    why: '`app.example` is also found in `app-example` or `appXexample`, which somebody else may register.',
    cure: 'Write `[.]`, or `\\\\.` within a text in single quotes.',
    look: (reading) => patternsIn(reading, ({ dots }) => (dots.length > 0 ? 'this dot is any character' : undefined)),
  },
]

type Pattern = ExpressionFacts['patterns'][number]

const patternsIn = (reading: Reading, fault: (pattern: Pattern) => string | undefined): readonly Hit[] =>
  profilesIn(reading).flatMap((one) =>
    expressionsIn(one).flatMap(({ text, path }) =>
      expressionFacts(text).patterns.flatMap((pattern): readonly Hit[] => {
        const says = fault(pattern)
        return says === undefined ? [] : [{ source: one.source, path, character: pattern.position, says }]
      }),
    ),
  )
