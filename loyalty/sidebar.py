"""The sidebar of the admin, wiring only: (page, title, Material symbol, permission).

Everybody sees what their permissions open.
"""

from django.utils.translation import gettext_lazy as _

SIDEBAR = [
    (
        "",
        [
            ("admin:index", _("Dashboard"), "space_dashboard", ""),
        ],
    ),
    (
        _("People"),
        [
            ("admin:customers_customer_changelist", _("Customers"), "group", "customers.view_customer"),
            ("admin:segments_segment_changelist", _("Segments"), "filter_alt", "segments.view_segment"),
            ("admin:segments_customerlist_changelist", _("Lists"), "list_alt", "segments.view_customerlist"),
            ("admin:insights_rfm", _("RFM"), "grid_on", "insights.view_customerinsight"),
            ("admin:events_eventtype_changelist", _("Events"), "bolt", "events.view_eventtype"),
        ],
    ),
    (
        _("Consent and rights"),
        [
            ("admin:consent_consententry_changelist", _("Consent"), "verified_user", "consent.view_consententry"),
            ("admin:consent_optinrequest_changelist", _("Double opt-ins"), "how_to_reg", "consent.view_optinrequest"),
            ("admin:consent_topic_changelist", _("Topics"), "interests", "consent.view_topic"),
            ("admin:tracking_silent", _("Silent consents"), "hourglass_empty", "consent.view_consentage"),
            ("admin:consent_suppression_changelist", _("Suppressions"), "block", "consent.view_suppression"),
            ("admin:rights_rightsrequest_changelist", _("Requests"), "gavel", "rights.view_rightsrequest"),
        ],
    ),
    (
        _("Data"),
        [
            ("admin:customers_quality", _("Data quality"), "fact_check", "customers.view_customer"),
            ("admin:customers_attribute_changelist", _("Attributes"), "sell", "customers.view_attribute"),
            ("admin:customers_source_changelist", _("Sources"), "input", "customers.view_source"),
            ("admin:customers_customermerge_changelist", _("Joined people"), "merge", "customers.view_customermerge"),
            ("admin:customers_importjob_changelist", _("Imports"), "upload_file", "customers.view_importjob"),
            ("admin:events_website_changelist", _("Websites"), "language", "events.view_website"),
        ],
    ),
    (
        _("Loyalty"),
        [
            ("admin:program_program_changelist", _("Program"), "loyalty", "program.view_program"),
            ("admin:program_earningrule_changelist", _("Earning rules"), "add_circle", "program.view_earningrule"),
            ("admin:program_checkinplace_changelist", _("Check-in places"), "qr_code_2", "program.view_checkinplace"),
            ("admin:program_member_changelist", _("Members"), "card_membership", "program.view_member"),
            ("admin:program_ending_changelist", _("Ends of programs"), "event_busy", "program.view_ending"),
            ("admin:program_adjustment_changelist", _("Corrections"), "fact_check", "program.view_adjustment"),
            ("admin:program_review_changelist", _("Members to look into"), "policy", "program.view_review"),
            ("admin:program_referral_changelist", _("Friends"), "group_add", "program.view_referral"),
            ("admin:program_household_changelist", _("Households"), "family_restroom", "program.view_household"),
            (
                "admin:program_pointsorder_changelist",
                _("Orders of points"),
                "pending_actions",
                "program.view_pointsorder",
            ),
            ("admin:finance_overview", _("Points in the books"), "account_balance", "finance.view_bookmonth"),
        ],
    ),
    (
        _("Paid membership"),
        [
            ("admin:subscriptions_plan_changelist", _("Plans"), "contract", "subscriptions.view_plan"),
            ("admin:subscriptions_subscription_changelist", _("Contracts"), "badge", "subscriptions.view_subscription"),
            ("admin:subscriptions_charge_changelist", _("Fees and refunds"), "payments", "subscriptions.view_charge"),
            (
                "admin:subscriptions_declaration_changelist",
                _("Cancelled and withdrawn"),
                "cancel",
                "subscriptions.view_declaration",
            ),
        ],
    ),
    (
        _("Rewards and offers"),
        [
            ("admin:rewards_reward_changelist", _("Rewards"), "redeem", "rewards.view_reward"),
            ("admin:rewards_board", _("Redeemed rewards"), "local_shipping", "rewards.view_redemption"),
            ("admin:rewards_supplier_changelist", _("Suppliers"), "factory", "rewards.view_supplier"),
            ("admin:offers_offer_changelist", _("Offers"), "local_offer", "offers.view_offer"),
            ("admin:offers_voucherpool_changelist", _("Vouchers"), "confirmation_number", "offers.view_voucherpool"),
            ("admin:play_challenge_changelist", _("Challenges"), "flag", "play.view_challenge"),
            ("admin:play_stampcard_changelist", _("Stamp cards"), "approval", "play.view_stampcard"),
            ("admin:play_game_changelist", _("Games"), "casino", "play.view_game"),
            ("admin:play_leaderboard_changelist", _("Leaderboards"), "leaderboard", "play.view_leaderboard"),
            ("admin:play_badge_changelist", _("Badges"), "workspace_premium", "play.view_badge"),
            ("admin:play_award_changelist", _("Prizes won"), "celebration", "play.view_award"),
        ],
    ),
    (
        _("Stores and cards"),
        [
            ("admin:cards_card_changelist", _("Cards"), "credit_card", "cards.view_card"),
            ("admin:cards_cardseries_changelist", _("Card series"), "style", "cards.view_cardseries"),
            ("admin:checkout_counter", _("Counter"), "point_of_sale", "checkout.use_counter"),
            ("admin:checkout_store_changelist", _("Stores"), "storefront", "checkout.view_store"),
            ("admin:checkout_shares", _("Receipts with a card"), "percent", "checkout.view_storemonth"),
            (
                "admin:checkout_receiptphoto_changelist",
                _("Photos of receipts"),
                "photo_camera",
                "checkout.view_receiptphoto",
            ),
            ("admin:checkout_rewarddue_changelist", _("Money due"), "payments", "checkout.view_rewarddue"),
            (
                "admin:checkout_unmatchedreceipt_changelist",
                _("Receipts without a card"),
                "receipt",
                "checkout.view_unmatchedreceipt",
            ),
            ("admin:portal_entryrequest_changelist", _("Portal sign-ins"), "login", "portal.view_entryrequest"),
        ],
    ),
    (
        _("Partners"),
        [
            ("admin:partners_partner_changelist", _("Partners"), "handshake", "partners.view_partner"),
            ("admin:partners_statement_changelist", _("Statements"), "receipt_long", "partners.view_statement"),
            ("admin:partners_partnertransfer_changelist", _("Transfers"), "move_up", "partners.view_partnertransfer"),
            (
                "admin:partners_foreignprogram_changelist",
                _("Foreign programs"),
                "sync_alt",
                "partners.view_foreignprogram",
            ),
            ("admin:partners_calculator", _("Join or own"), "calculate", "partners.view_partner"),
        ],
    ),
    (
        _("Campaigns"),
        [
            ("admin:planning_campaign_changelist", _("Campaigns"), "campaign", "planning.view_campaign"),
            ("admin:flows_flow_changelist", _("Flows"), "account_tree", "flows.view_flow"),
            ("admin:content_template_changelist", _("Templates"), "article", "content.view_template"),
            ("admin:channels_sender_changelist", _("Senders"), "outgoing_mail", "channels.view_sender"),
        ],
    ),
    (
        _("Results"),
        [
            ("admin:delivery_message_changelist", _("Messages"), "mail", "delivery.view_message"),
            ("admin:planning_goal_changelist", _("Goals"), "flag", "planning.view_goal"),
            ("admin:attribution_report", _("Attribution"), "monitoring", "attribution.view_conversion"),
        ],
    ),
    (
        _("Operations"),
        [
            ("admin:local_operations", _("Queues and chores"), "conveyor_belt", "local.view_chorestate"),
            ("admin:local_mailbox", _("Mailbox"), "inbox", "local.view_mailbox"),
            ("admin:access_apikey_changelist", _("API keys"), "key", "access.view_apikey"),
            ("admin:auth_user_changelist", _("Users"), "person", "auth.view_user"),
            ("admin:auth_group_changelist", _("Roles"), "badge", "auth.view_group"),
        ],
    ),
]
