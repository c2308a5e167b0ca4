import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Project by project, because workers are kept within one; what ends with many short files leaves no worker idle. */
const PROJECTS = ['web', 'postgresql', 'sqlite', 'pure']

/** Files that take a minute or nearly so, the longest first. A file that is missing here only starts later. */
const LONG = [
  ...['web/phone', 'web/desk', 'web/notifications', 'web/weight', 'web/journeys'],
  ...['chain/backlog', 'demo/demo', 'cli/settings', 'webhook/kill', 'cli/serve', 'cli/backup', 'chain/hostile'],
  ...['sso/login', 'chain/quirks', 'traffic/attack', 'sso/hostile', 'sso/reach', 'traffic/home', 'notification/people'],
]

/** Starts long files first: by size, as vitest has it without a cache, the longest came last and alone. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => projectOf(a) - projectOf(b) || placeOf(a) - placeOf(b))
  }
}

const projectOf = ({ project }: TestSpecification) => PROJECTS.indexOf(project.name)

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return place < 0 ? LONG.length : place
}
