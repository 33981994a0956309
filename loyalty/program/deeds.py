"""Things that people get points for nearly everywhere, as events of the timeline, with words for them.

Any other event earns just the same; these have a name in sentences without anybody saying it, and a hint where a
document misspells them.
"""

from django.utils.translation import pgettext_lazy

# After "50 points for ...".
DEEDS = {
    "review": pgettext_lazy("points for", "a review"),
    "survey": pgettext_lazy("points for", "a survey that is filled in"),
    "video_watched": pgettext_lazy("points for", "a video watched to the end"),
    "training_passed": pgettext_lazy("points for", "a training that is passed"),
    "app_installed": pgettext_lazy("points for", "installing the app"),
    "card_activated": pgettext_lazy("points for", "activating the card"),
    "qr_checkin": pgettext_lazy("points for", "checking in at one of our places"),
    "social_share": pgettext_lazy("points for", "sharing us with others"),
    "profile_completed": pgettext_lazy("points for", "a complete profile"),
    "newsletter_subscribed": pgettext_lazy("points for", "subscribing to the newsletter"),
}
CHECK_IN = "qr_checkin"
