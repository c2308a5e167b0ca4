import { integer, ref, table, text, uniqueIndex } from '../dialect.ts'

/**
 * What happened how often, by the minute, the hour and the day, so that a year draws from a few hundred rows. `at` counts whole steps of `step`
 * minutes since the epoch; app 0 is the installation itself.
 */
export const figures = table(
  'figures',
  {
    step: integer().notNull(),
    at: integer().notNull(),
    appId: ref().notNull(),
    name: text().notNull(),
    n: ref().notNull(),
  },
  (figure) => [uniqueIndex('figures_key').on(figure.step, figure.at, figure.appId, figure.name)],
)
