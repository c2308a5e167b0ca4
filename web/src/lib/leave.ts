import { beforeNavigate } from '$app/navigation'

/** Asks before unsaved changes are left behind. Call it while a component is made. */
export function guardLeaving(unsaved: () => boolean) {
  beforeNavigate((navigation) => {
    if (!unsaved()) return
    if (navigation.willUnload) navigation.cancel()
    else if (!window.confirm('Leave without saving your changes?')) navigation.cancel()
  })
}
