"""Reads: who a partner is, what it may see of whom, what was passed on."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.partners.contract import Standing
from loyalty.partners.definition import Contract
from loyalty.partners.models import Partner, PartnerKey

PAGE = 50


def of_key(api_key_id: int) -> Partner | None:
    """The partner that a key speaks for."""
    found = PartnerKey.objects.select_related("partner__program").filter(pk=api_key_id).first()
    return found.partner if found else None


def contract_of(partner: Partner) -> Contract:
    """The partner's data contract."""
    return Contract.model_validate(partner.definition.get("contract", {}))


def standing(partner_id: int, customer_id: int) -> Standing:
    """What a customer is to a partner now."""
    enrolled, granted = fetch(
        sql(
            "SELECT coalesce((SELECT enrolled FROM partner_link WHERE partner_id = {partner}"
            " AND customer_id = {customer}), FALSE), coalesce((SELECT granted FROM partner_consent"
            " WHERE partner_id = {partner} AND customer_id = {customer} ORDER BY at DESC, granted LIMIT 1), FALSE)",
            partner=partner_id,
            customer=customer_id,
        )
    )[0]
    return Standing(enrolled, granted)


def partners_of(customer_id: int) -> list[dict[str, Any]]:
    """Every partner that knows the person, was told something, or that they decided about; one query."""
    return fetch_values(
        sql(
            "SELECT p.key, p.name, coalesce(l.enrolled, FALSE) AS enrolled, l.since, c.granted AS consented,"
            " c.at AS consented_at, t.transfers, t.last_transfer, t.fields FROM partner p"
            " LEFT JOIN partner_link l ON l.partner_id = p.id AND l.customer_id = {customer}"
            " LEFT JOIN LATERAL (SELECT granted, at FROM partner_consent WHERE partner_id = p.id"
            "   AND customer_id = {customer} ORDER BY at DESC, granted LIMIT 1) c ON TRUE"
            " LEFT JOIN (SELECT partner_id, count(DISTINCT t.id) AS transfers, max(at) AS last_transfer,"
            "   array_agg(DISTINCT f ORDER BY f) AS fields FROM partner_transfer t, unnest(t.fields) f"
            "   WHERE customer_id = {customer} GROUP BY 1) t ON t.partner_id = p.id"
            " WHERE l.partner_id IS NOT NULL OR c.granted IS NOT NULL OR t.transfers > 0 ORDER BY p.key",
            customer=customer_id,
        )
    )


def transfers_of(customer_id: int, *, limit: int = PAGE) -> list[dict[str, Any]]:
    """What was passed on about a person, newest first."""
    return fetch_values(
        sql(
            "SELECT p.key AS partner, t.at, t.fields, t.occasion FROM partner_transfer t"
            " JOIN partner p ON p.id = t.partner_id WHERE t.customer_id = {customer} ORDER BY t.id DESC LIMIT {limit}",
            customer=customer_id,
            limit=limit,
        )
    )


def known_people(partner_id: int) -> tuple[int, int, int]:
    """(known to the partner, enrolled there, agreed that it gets their data)."""
    return fetch(
        sql(
            "SELECT (SELECT count(*) FROM partner_link WHERE partner_id = {id}),"
            " (SELECT count(*) FROM partner_link WHERE partner_id = {id} AND enrolled),"
            " (SELECT count(*) FROM (SELECT DISTINCT ON (customer_id) granted FROM partner_consent"
            "   WHERE partner_id = {id} ORDER BY customer_id, at DESC, granted) c WHERE granted)",
            id=partner_id,
        )
    )[0]


def months(partner_id: int, *, zone: str, limit: int = 13) -> list[dict[str, Any]]:
    """Points and money of the partner by month, oldest first."""
    rows = fetch_values(
        sql(
            "SELECT date_trunc('month', at AT TIME ZONE {zone})::date AS month,"
            " coalesce(sum(points) FILTER (WHERE kind = 1), 0) - coalesce(sum(points) FILTER (WHERE kind = 2), 0)"
            "   AS issued,"
            " coalesce(sum(points) FILTER (WHERE kind = 3), 0) - coalesce(sum(points) FILTER (WHERE kind = 4), 0)"
            "   AS burned,"
            " sum(CASE WHEN kind IN (1, 4, 5) THEN amount ELSE -amount END) AS owed"
            " FROM settlement_entry WHERE partner_id = {id} AND kind <= 6 GROUP BY 1 ORDER BY 1 DESC LIMIT {limit}",
            id=partner_id,
            zone=zone,
            limit=limit,
        )
    )
    return rows[::-1]


def stores_of(partner_id: int) -> list[str]:
    """The shops of a partner, in the order of their names."""
    return [row[0] for row in fetch(sql("SELECT store FROM partner_store WHERE partner_id = {id} ORDER BY 1",
                                        id=partner_id))]  # fmt: skip


def essence(partners: Sequence[Partner]) -> list[dict[str, Any]]:
    """What people have to know about joint control (Art. 26 (2) GDPR): who, which data, what for, on what condition."""
    found = []
    for partner in partners:
        contract = contract_of(partner)
        found.append(
            {
                "key": partner.key,
                "name": partner.name,
                "address": partner.definition.get("address", ""),
                "contact": contract.contact,
                "agreement": contract.agreement,
                "fields": [{"field": one.field, "to": one.to, "why": one.why} for one in contract.fields],
            }
        )
    return found
